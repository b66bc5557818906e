//! The steps that a token goes through, and which of them a refusal ends.

use doorward_verifier::Code;

/// One step.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    /// What is looked at.
    pub(crate) about: &'static str,
    /// The code that begins the next one.
    next: Option<Code>,
}

const fn step(name: &'static str, about: &'static str, next: Option<Code>) -> Step {
    Step { name, about, next }
}

/// In their order.
pub(crate) const STEPS: [Step; 6] = [
    step(
        "form",
        "size, three parts in their one spelling, JSON without a member twice",
        Some(Code::WrongTyp),
    ),
    step("header", "a session token's, and RS256", Some(Code::MissingIss)),
    step("issuer", "this instance, or an alias of it", Some(Code::UnknownKid)),
    step("key", "published by that issuer, for this algorithm", Some(Code::WrongSignature)),
    step("signature", "made with that key over these very bytes", Some(Code::MissingSub)),
    step("claims", "user, session, audience, authorized party, times, status", None),
];

/// The place among [`STEPS`] of the one that this code ends.
pub(crate) fn step_of(code: Code) -> usize {
    let position = |code: Code| Code::ALL.iter().position(|other| *other == code).unwrap_or(usize::MAX);
    let before = |end: Option<Code>| end.is_none_or(|end| position(code) < position(end));
    STEPS.iter().position(|step| before(step.next)).unwrap_or(STEPS.len())
}
