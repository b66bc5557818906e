//! Features, plans and permissions as a session token packs them (Clerk, "Session token claims", version 2).

use crate::text;

/// A feature or a plan, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scoped {
    /// The organization has it.
    pub organization: bool,
    /// The user has it.
    pub user: bool,
    /// Its name.
    pub slug: String,
}

impl Scoped {
    /// The comma list `<scope>:<slug>` with the scopes `o`, `u`, `uo` and `ou`. An element of another form gives
    /// nothing.
    pub(crate) fn list(packed: &str) -> Vec<Scoped> {
        text::split(packed, b',').filter_map(Scoped::of).collect()
    }

    fn of(element: &str) -> Option<Scoped> {
        let (slug, [organization, user]) = slug_and_scope(element)?;
        Some(Scoped { organization, user, slug: slug.to_owned() })
    }
}

/// An element's name, and whether an organization and a user have it.
fn slug_and_scope(element: &str) -> Option<(&str, [bool; 2])> {
    let (scope, slug) = text::split_once(text::trim(element), b':')?;
    let scope = match scope {
        "o" => [true, false],
        "u" => [false, true],
        "uo" | "ou" => [true, true],
        _ => return None,
    };
    if slug.is_empty() { None } else { Some((slug, scope)) }
}

/// Whether `asked` is among them. `org:`, `o:`, `organization:`, `user:` or `u:` before it say whose it must be.
pub(crate) fn includes(held: &[Scoped], asked: &str) -> bool {
    let (scope, slug) = text::split_once(asked, b':').unwrap_or(("", asked));
    held.iter().filter(|one| one.slug == slug).any(|one| match scope {
        "" => one.organization || one.user,
        "org" | "o" | "organization" => one.organization,
        "user" | "u" => one.user,
        _ => false,
    })
}

/// A role's or permission's name with exactly one prefix `org:`.
pub(crate) fn with_prefix(name: &str) -> String {
    ["org:", name.strip_prefix("org:").unwrap_or(name)].concat()
}

/// Whether two names of roles or permissions are the same, whichever of them has the prefix.
pub(crate) fn same_in_organization(held: &str, asked: &str) -> bool {
    fn bare(name: &str) -> &str {
        name.strip_prefix("org:").unwrap_or(name)
    }
    !bare(asked).is_empty() && bare(held) == bare(asked)
}

pub(crate) struct Granted {
    pub(crate) permissions: Vec<String>,
    pub(crate) disputed: bool,
}

/// The permissions that `fea`, `o.per` and `o.fpm` grant together.
///
/// Bit `i` of a feature's mask grants the permission `names[i]`. Which mask is a feature's, Clerk's decoders disagree
/// on: the JavaScript SDK counts only an organization's features, the documentation and the Python and Ruby SDKs
/// count all. They differ when a user's feature comes before an organization's; then only what both readings grant
/// is granted.
pub(crate) fn granted(features: &str, names: &str, masks: &str) -> Granted {
    let mut granted = Granted { permissions: Vec::new(), disputed: false };
    let names: Vec<&str> = text::split(names, b',').map(text::trim).collect();
    let masks: Vec<Mask> = text::split(masks, b',').map(|mask| Mask::of(text::trim(mask))).collect();
    let mut among_organizations = 0;
    for (position, element) in text::split(features, b',').enumerate() {
        let Some((feature, [true, _])) = slug_and_scope(element) else { continue };
        let readings = [masks.get(among_organizations), masks.get(position)];
        among_organizations += 1;
        for (bit, name) in names.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            let [counted, positional] = readings.map(|mask| mask.is_some_and(|mask| mask.has(bit)));
            granted.disputed |= counted != positional;
            if counted && positional {
                granted.permissions.push(["org:", feature, ":", name].concat());
            }
        }
    }
    granted
}

/// A decimal number of any width, as bits: 64 permissions and more are in use.
struct Mask(Vec<u32>);

impl Mask {
    /// What is not all digits grants nothing.
    fn of(decimal: &str) -> Mask {
        let mut limbs: Vec<u32> = Vec::new();
        if !decimal.bytes().all(|byte| byte.is_ascii_digit()) {
            return Mask(limbs);
        }
        for chunk in decimal.as_bytes().chunks(9) {
            let (mut carry, mut scale) = (0_u64, 1_u64);
            for digit in chunk {
                carry = carry * 10 + u64::from(digit - b'0');
                scale *= 10;
            }
            for limb in &mut limbs {
                let sum = u64::from(*limb) * scale + carry;
                *limb = sum as u32;
                carry = sum >> 32;
            }
            if carry > 0 {
                limbs.push(carry as u32);
            }
        }
        Mask(limbs)
    }

    fn has(&self, bit: usize) -> bool {
        self.0.get(bit / 32).is_some_and(|limb| limb >> (bit % 32) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permissions(features: &str, names: &str, masks: &str) -> (Vec<String>, bool) {
        let granted = granted(features, names, masks);
        (granted.permissions, granted.disputed)
    }

    #[test]
    fn a_masks_bits_name_the_permissions_of_its_feature() {
        let (granted, disputed) = permissions("o:invoices,o:reports,u:theme", "create,delete,read", "5,4,0");
        assert_eq!(granted, ["org:invoices:create", "org:invoices:read", "org:reports:read"]);
        assert!(!disputed);
    }

    #[test]
    fn where_the_two_readings_differ_only_what_both_grant_is_granted() {
        let (granted, disputed) = permissions("u:theme,o:invoices,o:reports", "create,delete,read", "0,6,1");
        assert!(granted.is_empty() && disputed);
    }

    #[test]
    fn a_mask_may_be_wider_than_64_bits() {
        let names: Vec<String> = (0..65).map(|i| format!("p{i}")).collect();
        let (granted, _) = permissions("o:f", &names.join(","), "18446744073709551618");
        assert_eq!(granted, ["org:f:p1", "org:f:p64"]);
    }

    #[test]
    fn missing_and_broken_masks_grant_nothing() {
        for (features, names, masks) in [
            ("o:f", "read", ""),
            ("o:f", "read", "x"),
            ("o:f", "", "1"),
            ("", "read", "1"),
            ("f", "read", "1"),
            ("x:f", "read", "1"),
            ("o:f", "read", "-1"),
        ] {
            assert!(permissions(features, names, masks).0.is_empty(), "{features} {names} {masks}");
        }
    }

    #[test]
    fn a_feature_is_asked_for_with_or_without_whose_it_is() {
        let held = Scoped::list("o:a, u:b,uo:c,trailing,x:d,");
        assert_eq!(held.len(), 3);
        for (asked, there) in [
            ("a", true),
            ("org:a", true),
            ("user:a", false),
            ("u:b", true),
            ("o:b", false),
            ("organization:c", true),
            ("c", true),
            ("d", false),
            ("x:a", false),
            ("", false),
        ] {
            assert_eq!(includes(&held, asked), there, "{asked}");
        }
    }

    #[test]
    fn a_role_is_the_same_with_and_without_its_prefix() {
        assert!(same_in_organization("org:admin", "admin"));
        assert!(same_in_organization("org:admin", "org:admin"));
        assert!(!same_in_organization("org:admin", "org:org:admin"));
        assert!(!same_in_organization("org:", ""));
    }
}
