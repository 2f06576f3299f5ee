//! The patches that Codex applies: which files they change. Knows nothing of what is in them.
//!
//! 1. A patch that is not understood to its last line MUST be refused whole.
//! 2. A line that another reader could take for the name of a file MUST be one here, or refused.

use crate::limits;

const BEGIN: &str = "*** Begin Patch";
const END: &str = "*** End Patch";
const END_OF_FILE: &str = "*** End of File";
const ODD: &str = "the patch has a line that is not understood";

/// The files that a patch adds, changes, deletes or moves to, in its order.
pub fn files(patch: &str) -> Result<Vec<&str>, &'static str> {
    if patch.len() > limits::gate::PATCH_BYTES {
        return Err("the patch is too long");
    }
    let mut lines = patch.trim_end_matches(['\r', '\n']).lines();
    if lines.next() != Some(BEGIN) {
        return Err("the patch does not begin like one");
    }
    let (mut files, mut body) = (Vec::new(), Body::None);
    for line in lines.by_ref() {
        if line == END {
            let rest = lines.next();
            return match rest {
                None if files.is_empty() => Err("the patch changes no file"),
                None => Ok(files),
                Some(_) => Err("the patch goes on behind its end"),
            };
        }
        body = take(line, body, &mut files)?;
        if files.len() > limits::gate::PATCH_FILES {
            return Err("the patch changes too many files");
        }
    }
    Err("the patch does not end")
}

/// What may follow a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Body {
    /// Another file.
    None,
    /// Lines to add.
    Added,
    /// A new name, or changes.
    Start,
    /// Changes.
    Changes,
}

fn take<'a>(line: &'a str, body: Body, files: &mut Vec<&'a str>) -> Result<Body, &'static str> {
    let marked = |prefix: &str| line.strip_prefix(prefix).filter(|name| !name.is_empty());
    for (prefix, next) in [
        ("*** Add File: ", Body::Added),
        ("*** Delete File: ", Body::None),
        ("*** Update File: ", Body::Start),
    ] {
        if let Some(name) = marked(prefix) {
            files.push(name);
            return Ok(next);
        }
    }
    if let Some(name) = marked("*** Move to: ").filter(|_| body == Body::Start) {
        files.push(name);
        return Ok(Body::Changes);
    }
    let changes = matches!(body, Body::Start | Body::Changes);
    match line.bytes().next() {
        Some(b'+') if body != Body::None => Ok(if changes { Body::Changes } else { body }),
        // Blanks before a mark are taken away by who applies it: then this would be a file's name.
        Some(b' ' | b'\t') if line.trim_start().starts_with("***") => Err(ODD),
        Some(b' ' | b'-') | None if changes => Ok(Body::Changes),
        Some(b'@') if changes && line.starts_with("@@") => Ok(Body::Changes),
        Some(b'*') if changes && line == END_OF_FILE => Ok(Body::Changes),
        _ => Err(ODD),
    }
}

/// The patch in a command line that is nothing but `apply_patch` with a quoted here-document.
pub fn in_here_document(command: &str) -> Option<&str> {
    let rest = command.trim().strip_prefix("apply_patch")?.trim_start_matches([' ', '\t']);
    let rest = rest.strip_prefix("<<")?.trim_start_matches([' ', '\t']);
    let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let (mark, rest) = rest[1..].split_once(quote)?;
    if mark.is_empty() || !mark.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return None;
    }
    // The document ends at the first such line, and nothing may follow it.
    let patch = rest.strip_prefix('\n')?.strip_suffix(mark)?.strip_suffix('\n')?;
    (!patch.lines().any(|line| line == mark)).then_some(patch)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "*** Begin Patch\n*** Add File: a.txt\n+one\n+\n*** Update File: src/b.rs\n\
        *** Move to: src/c.rs\n@@ fn x()\n-old\n+new\n same\n\n*** End of File\n\
        *** Delete File: d\n*** Update File: e\n@@\n+x\n*** End Patch\n";

    #[test]
    fn every_file_of_a_patch_is_named() {
        assert_eq!(files(WHOLE), Ok(vec!["a.txt", "src/b.rs", "src/c.rs", "d", "e"]));
        assert_eq!(files(WHOLE.trim_end()).map(|f| f.len()), Ok(5));
        assert_eq!(files(&WHOLE.replace('\n', "\r\n")).map(|f| f.len()), Ok(5));
        let added = "*** Begin Patch\n*** Add File: a\n+*** Delete File: b\n*** End Patch";
        assert_eq!(files(added), Ok(vec!["a"]), "a line that is added is no mark");
    }

    #[test]
    fn a_patch_that_is_not_understood_to_the_end_is_refused() {
        for (bad, why) in [
            ("", "begin"),
            ("*** Begin Patch\n*** End Patch", "no file"),
            ("*** Begin Patch\n*** Add File: a\n+x", "does not end"),
            ("*** Begin Patch\n*** Add File: a\n+x\n*** End Patch\nx", "behind"),
            ("\n*** Begin Patch\n*** Add File: a\n*** End Patch", "begin"),
            ("*** Begin Patch\n*** Add File: \n*** End Patch", "line"),
            ("*** Begin Patch\n*** Add File: a\nx\n*** End Patch", "line"),
            ("*** Begin Patch\n*** Add File: a\n+x\n *** Delete File: b\n*** End Patch", "line"),
            ("*** Begin Patch\n*** Update File: a\n \t*** Delete File: b\n*** End Patch", "line"),
            ("*** Begin Patch\n*** Delete File: a\n+x\n*** End Patch", "line"),
            ("*** Begin Patch\n*** Add File: a\n*** Move to: b\n*** End Patch", "line"),
            ("*** Begin Patch\n*** Rename File: a\n*** End Patch", "line"),
            ("*** Begin Patch\n*** Environment ID: x\n*** Add File: a\n*** End Patch", "line"),
            ("*** Begin Patch\n*** add file: a\n*** End Patch", "line"),
            ("*** Begin Patch \n*** Add File: a\n*** End Patch", "begin"),
        ] {
            let error = files(bad).expect_err(bad);
            assert!(error.contains(why), "{bad:?}: {error}");
        }
        let many = "*** Delete File: a\n".repeat(limits::gate::PATCH_FILES + 1);
        assert!(files(&format!("{BEGIN}\n{many}{END}")).is_err());
    }

    #[test]
    fn a_here_document_counts_if_there_is_nothing_else() {
        for good in ["apply_patch <<'EOF'\nx\ny\nEOF", " apply_patch  <<\"P\"\nx\ny\nP\n"] {
            assert_eq!(in_here_document(good), Some("x\ny"), "{good:?}");
        }
        for bad in [
            "apply_patch <<EOF\nx\nEOF",
            "apply_patch <<'EOF' && rm x\nx\nEOF",
            "apply_patch <<'EOF'\nx\nEOF\nrm x",
            "apply_patch <<'EOF'\nx\nEOF\nrm x\nEOF",
            "apply_patch x <<'EOF'\nx\nEOF",
            "apply_patchy <<'EOF'\nx\nEOF",
            "apply_patch <<-'EOF'\nx\nEOF",
            "apply_patch <<'E F'\nx\nE F",
            "./apply_patch <<'EOF'\nx\nEOF",
            "apply_patch <<'EOF'\nx\n EOF",
        ] {
            assert_eq!(in_here_document(bad), None, "{bad:?}");
        }
    }
}
