//! What a Clerk dashboard would have set: an instance that signs people in by email code, and nothing else.

use serde_json::{Value, json};

/// `GET /v1/environment`.
pub(super) fn json() -> Value {
    json!({
        "object": "environment", "id": "env_local", "maintenance_mode": false,
        "auth_config": {
            "object": "auth_config", "id": "aac_local", "single_session_mode": true, "claimed_at": null,
            "reverification": false, "preferred_channels": {},
        },
        "display_config": display_config(),
        "user_settings": user_settings(),
        "organization_settings": {
            "enabled": false, "max_allowed_memberships": 0, "force_organization_selection": false, "actions": {},
            "domains": { "enabled": false, "enrollment_modes": [], "default_role": null }, "slug": { "disabled": true },
        },
        "commerce_settings": {
            "billing": { "user": { "enabled": false }, "organization": { "enabled": false } },
        },
        "api_keys_settings": { "enabled": false },
    })
}

fn display_config() -> Value {
    json!({
        "object": "display_config", "id": "display_local", "application_name": "the local issuer",
        "instance_environment_type": "development", "preferred_sign_in_strategy": "otp", "branded": false,
        "captcha_public_key": null, "show_devmode_warning": true, "theme": {}, "home_url": "",
        "sign_in_url": "", "sign_up_url": "", "user_profile_url": "", "after_sign_in_url": "", "after_sign_up_url": "",
        "after_sign_out_all_url": "", "after_sign_out_one_url": "", "after_switch_session_url": "",
    })
}

fn user_settings() -> Value {
    json!({
        "attributes": {
            "email_address": {
                "enabled": true, "required": true, "used_for_first_factor": true, "first_factors": ["email_code"],
                "used_for_second_factor": false, "second_factors": [], "verifications": ["email_code"],
                "verify_at_sign_up": true,
            },
            "phone_number": unused(), "username": unused(), "first_name": unused(), "last_name": unused(),
            "password": unused(), "web3_wallet": unused(), "authenticator_app": unused(), "backup_code": unused(),
            "passkey": unused(), "ticket": unused(),
        },
        "social": {}, "saml": { "enabled": false }, "enterprise_sso": { "enabled": false },
        "sign_in": { "second_factor": { "required": false } },
        "sign_up": {
            "mode": "public", "progressive": true, "captcha_enabled": false, "custom_action_required": false,
            "legal_consent_enabled": false,
        },
        "restrictions": {}, "actions": { "delete_self": false, "create_organization": false },
        "password_settings": {}, "passkey_settings": { "allow_autofill": false, "show_sign_in_button": false },
    })
}

fn unused() -> Value {
    json!({
        "enabled": false, "required": false, "used_for_first_factor": false, "first_factors": [],
        "used_for_second_factor": false, "second_factors": [], "verifications": [], "verify_at_sign_up": false,
    })
}
