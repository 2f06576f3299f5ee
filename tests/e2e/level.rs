//! The level of the sandbox that the agents' tests run at.

use crate::support::space::Space;

/// Names it; without it sessions get what the product gives them.
const NAMED: &str = "CODEPIPER_TEST_SANDBOX";

/// Sessions of this space's daemon start at it from now on.
#[track_caller]
pub fn set(space: &Space) {
    if let Some(level) = named() {
        space.cli(&["settings", "sandbox", &level]).expect(0);
    }
}

/// What such a session is told to have held.
pub fn expected() -> String {
    named().unwrap_or_else(|| "guard".to_string())
}

fn named() -> Option<String> {
    std::env::var(NAMED).ok()
}
