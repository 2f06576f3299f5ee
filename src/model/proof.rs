//! The proof of the gate: whether one exact agent program, under one build of ours, was seen to
//! leave undone what the policy denies.

/// What a proof showed. The words are the API's and the database's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The denied call did not run, the model was told why, and the allowed one ran.
    Proven,
    /// The program ran what was denied, or did something without asking.
    Disproved,
    /// The program did not get far enough to show anything.
    Unclear,
}

impl Outcome {
    const ALL: [Outcome; 3] = [Outcome::Proven, Outcome::Disproved, Outcome::Unclear];

    /// The API's word.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Proven => "proven",
            Outcome::Disproved => "disproved",
            Outcome::Unclear => "unclear",
        }
    }

    /// The outcome behind a word.
    pub fn from_word(word: &str) -> Option<Outcome> {
        Outcome::ALL.into_iter().find(|outcome| outcome.word() == word)
    }
}

/// What a proof is about: nothing else is known by it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Subject {
    /// Row of the provider table.
    pub provider: String,
    /// SHA-256 of the agent's program.
    pub program_sha256: [u8; 32],
    /// Our own build, whose start line and hook it was.
    pub build: String,
}

/// One proof, as stored and shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// What it is about.
    pub subject: Subject,
    /// What the program calls itself.
    pub version: String,
    /// What it showed.
    pub outcome: Outcome,
    /// How, in words.
    pub detail: String,
    /// When, in Unix milliseconds.
    pub at_ms: i64,
}
