//! What is taken for words, and what is refused.

use super::*;

fn words(text: &str) -> Vec<Vec<String>> {
    split(text)
        .unwrap_or_else(|why| panic!("{text:?}: {why}"))
        .into_iter()
        .map(|s| s.words)
        .collect()
}

#[test]
fn literal_words_are_what_a_shell_would_pass() {
    for (text, want) in [
        ("ls -la src", vec![vec!["ls", "-la", "src"]]),
        ("a;b&&c||d|e\nf", vec![vec!["a"], vec!["b"], vec!["c"], vec!["d"], vec!["e"], vec!["f"]]),
        ("  a  b\t c \n\n", vec![vec!["a", "b", "c"]]),
        ("# look\nls # here; rm x\n", vec![vec!["ls"]]),
        ("a |\n b &&\n\n c;", vec![vec!["a"], vec!["b"], vec!["c"]]),
        ("ls \\\n  -la \\\n src", vec![vec!["ls", "-la", "src"]]),
        ("l\\\ns", vec![vec!["ls"]]),
        ("echo 'a b' \"c d\"e'f'", vec![vec!["echo", "a b", "c def"]]),
        (r#"grep "a\|b\"\\\$" 'x\y'"#, vec![vec!["grep", r#"a\|b"\$"#, r"x\y"]]),
        (r"find . \( -name x \) a\ b", vec![vec!["find", ".", "(", "-name", "x", ")", "a b"]]),
        ("echo '$(x) `y` * ; | & > <' ''", vec![vec!["echo", "$(x) `y` * ; | & > <", ""]]),
        (
            "git diff HEAD~1 a=b @x %1 +y",
            vec![vec!["git", "diff", "HEAD~1", "a=b", "@x", "%1", "+y"]],
        ),
        ("echo é 日本語 🎉", vec![vec!["echo", "é", "日本語", "🎉"]]),
        ("a 2>&1 >/dev/null | b", vec![vec!["a"], vec!["b"]]),
        ("a >& 1x", vec![]),
        ("a 1>&2 2> /dev/null </dev/null &>/dev/null", vec![vec!["a"]]),
        ("a >&2; b >>/dev/null&&c 2>&1|d", vec![vec!["a"], vec!["b"], vec!["c"], vec!["d"]]),
        ("</dev/null 2>/dev/null a 2 3 >/dev/null", vec![vec!["a", "2", "3"]]),
    ] {
        match want.is_empty() {
            true => assert!(split(text).is_err(), "{text:?}"),
            false => assert_eq!(words(text), want, "{text:?}"),
        }
    }
    let links: Vec<Link> = split("a && b | c || d; e").unwrap().iter().map(|s| s.link).collect();
    assert_eq!(links, [Link::Then, Link::And, Link::Pipe, Link::Or, Link::Then]);
    let texts: Vec<&str> = split(" a 'b' 2>&1 ; c # d").unwrap().iter().map(|s| s.text).collect();
    assert_eq!(texts, ["a 'b' 2>&1", "c"]);
}

#[rustfmt::skip]
const REFUSED: &[&str] = &[
    "", " ", "#x", ";", "a;;b", "; a", "a && && b", "a |", "a &&", "a ||", "&& a", "| a", "a\n;",
    "a & b", "a &", "a& b", "a |& b", "a ;& b", "echo $x", "echo ${x}", "echo $(x)", "echo `x`",
    "echo \"$x\"", "echo \"`x`\"", "echo $'x'", "echo $\"x\"", "echo $((1))", "ls *", "ls ?",
    "ls [a]", "[ a ]", "[[ a ]]", "ls a{b,c}", "{ ls; }", "(ls)", "f() { ls; }", "a (b", "a)",
    "ls ~", "ls ~/x", "ls a:~", "ls a=~/x", "! ls", "a!b", "\"a!\"", "A=b ls", "A=b", "a+=b",
    "a[0]=b", "'A=b' ls", "=ls", "ls =x", "if a", "time a", "a; then b", "while a", "function f",
    "coproc a", "a > b", "a >b", "a >> b", "a >| /dev/null", "a < b", "a << E\nE", "a <<< b",
    "a <> /dev/null", "a <(b)", "a >(b)", "a 3>&1", "a 2>&3", "a 2>&1x", "a 2>&-", "a >&/dev/null",
    "a >/dev/nullx", "a >/dev/null/x", "a >'/dev/null'", "a &> b", "a 0>/dev/null", "a 1</dev/null",
    "> /dev/null", "2>&1", "a 12>/dev/null", "a {fd}>/dev/null", "'a", "\"a", "\\", "a \\", "r\\m",
    "a\\\u{e9}", "a\rb", "a\0b", "a\u{1b}b", "a\u{a0}b", "a \u{202e}b", "a\u{200b}", "HEAD^", "a#b",
    "x\u{7f}",
];

#[test]
fn whatever_a_shell_could_take_for_more_is_refused_whole() {
    for text in REFUSED {
        assert!(split(text).is_err(), "{text:?} gave {:?}", split(text));
    }
}

#[test]
fn what_is_too_much_is_refused_and_never_cut() {
    let many = |n: usize| vec!["a"; n].join(";");
    assert!(split(&many(limits::COMMAND_PARTS)).is_ok());
    assert!(split(&many(limits::COMMAND_PARTS + 1)).is_err());
    assert!(split(&"a ".repeat(limits::COMMAND_WORDS)).is_ok());
    assert!(split(&"a ".repeat(limits::COMMAND_WORDS + 1)).is_err());
    assert!(split(&format!("echo '{}'", "x".repeat(limits::COMMAND_BYTES - 7))).is_ok());
    assert!(split(&format!("echo '{}'", "x".repeat(limits::COMMAND_BYTES - 6))).is_err());
}
