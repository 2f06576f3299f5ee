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
        ("a 1>&2 2> /dev/null </dev/null &>/dev/null", vec![vec!["a"]]),
        ("a >&2; b >>/dev/null&&c 2>&1|d", vec![vec!["a"], vec!["b"], vec!["c"], vec!["d"]]),
        ("</dev/null 2>/dev/null a 2 3 >/dev/null", vec![vec!["a", "2", "3"]]),
    ] {
        assert_eq!(words(text), want, "{text:?}");
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
    "echo \"$x\"", "echo \"`x`\"", "echo $'x'", "echo $\"x\"", "echo $((1))", "echo $", "echo $@",
    "[[ a ]]", "{ ls; }", "(ls)", "f() { ls; }", "a (b", "a)", "! ls", "!", "a!b", "\"a!\"b\"",
    "A=b", "a+=b", "a[0]=b", "'A=b' ls", "A=b 'C=d' ls", "A=$x ls", "A=* ls", "=ls", "ls =x",
    "if a", "a; then b", "while a", "function f", "coproc a", "A=b if a", "time", "time if a",
    "time A=b a", "time -p a", "time time", "time ! a", "~ a", "~/x a", "ls a:~", "ls a=~/x",
    "ls ~u", "ls ~+", "a >| b", "a <<< b", "a <> b", "a <(b)", "a >(b)", "a 3>&1", "a 2>&3",
    "a 2>&1x", "a 2>&-", "a >&b", "a >&/dev/null", "a > b*", "a > {b,c}", "a > ''", "a >", "a > ;",
    "a 0>b", "a 1<b", "> b", "2>&1", "a 12>b", "a {fd}>b", "a > $x", "a > b$?", "a > /dev/tcp/x/1",
    "a > '/dev/udp/x/1'", "a > /dev/nullx", "'a", "\"a", "\\", "a \\", "r\\m", "a\\\u{e9}", "a\rb",
    "a\0b", "a\u{1b}b", "a\u{a0}b", "a \u{202e}b", "a\u{200b}", "HEAD^", "a#b", "x\u{7f}",
    // Patterns
    "*", "l* x", "{a,b} x", "$? x", "ls 'a'*", "ls a*\\ ", "ls a]", "ls [!a]x", "ls [^a]x",
    "ls x[", "ls [[:alpha:]]x", "ls x[-a]", "ls x[a/b]", "ls {a}", "ls {1..3}", "ls {a,{b,c}}",
    "ls {a,'b'}", "ls {a,$x}", "ls {-a,b}", "ls {a,-b}x", "ls {,-b}x", "ls {a,..}", "ls a{b",
    "ls a}",
    "ls {a,b}{a,b}{a,b}{a,b}{a,b}{a,b}", "ls a*$?", "ls {a,b}$?", "ls x{a,b c}",
    // Here-documents
    "cat <<E", "cat <<E\n", "cat <<E\nx", "cat <<E\n E\n", "cat <<-E\nE", "cat <<$E\n$E",
    "cat <<E\n$x\nE", "cat <<E\n`x`\nE", "cat <<E\nx\\\nE", "cat <<'E\nE", "cat <<'E'x\nE",
    "cat <<E 'a\nb'\nE", "cat <<E \"a\nb\"\nE", "cat <<E \\\n x\nE", "cat <<E &&\nls\nE",
    "cat <<E;\n\nls", "cat 3<<E\nE", "cat <<''\n\n",
    "a \"$(cat <<'E'\nx)\nE\n)\"", "a \"$(cat <<'E'\n'\nE\n)\"", "a \"$(cat <<'E'\nx\nE\n;b)\"",
    "a \"$(cat <<E\nx\nE\n)\"", "a \"$(cat <<'E' | sh\nx\nE\n)\"", "a \"$(cat <<'E'\nx\nF\n)\"",
    "a $(cat <<'E'\nx\nE\n)", "a \"$(cat <<'E'\n#\nE\n)\"",
];

#[test]
fn words_that_stand_for_several_are_globs() {
    for (text, at, want) in [
        ("ls src/*.rs", 1, vec!["src/*.rs"]),
        ("ls *", 1, vec!["*"]),
        ("ls -l x[a-c]?", 2, vec!["x[a-c]?"]),
        ("ls {a,b}/c", 1, vec!["a/c", "b/c", "{a,b}/c"]),
        ("ls x{,y}{1,2}", 1, vec!["x1", "x2", "xy1", "xy2", "x{,y}{1,2}"]),
        ("rg --glob=*.{ts,js}", 1, vec!["--glob=*.ts", "--glob=*.js", "--glob=*.{ts,js}"]),
        ("ls ~/a*", 1, vec!["~/a*"]),
        ("exit $?", 1, vec!["[0-9]", "[0-9][0-9]", "[0-9][0-9][0-9]"]),
        ("echo \"a*: $?\"", 1, vec!["a[*]: [0-9]", "a[*]: [0-9][0-9]", "a[*]: [0-9][0-9][0-9]"]),
    ] {
        let many: Vec<String> = want.iter().map(|one| one.to_string()).collect();
        assert_eq!(split(text).expect(text)[0].many, [(at, many)], "{text}");
    }
    for text in ["find {} x", "ls '*'", "ls \"{a,b}\" \\*", "[ -f x ]", "find x ! -name y"] {
        assert_eq!(split(text).expect(text)[0].many, [], "{text}");
    }
}

#[test]
fn what_stands_around_a_command_is_known() {
    fn one(text: &str) -> Simple<'_> {
        split(text).unwrap_or_else(|why| panic!("{text:?}: {why}")).remove(0)
    }
    let file = |writes, path: &str| Redirect { writes, path: path.to_string() };
    for (text, files) in [
        ("a > b", vec![file(true, "b")]),
        ("a >>'b c' 2>d", vec![file(true, "b c"), file(true, "d")]),
        ("a < b > ~/c", vec![file(false, "b"), file(true, "~/c")]),
        ("a &>b 2>&1", vec![file(true, "b")]),
        ("a 2>/dev/null >/dev/null", vec![]),
    ] {
        assert_eq!(one(text).files, files, "{text}");
        assert_eq!(one(text).words, ["a"], "{text}");
    }
    assert_eq!(one("A=b C='d e' f g=h").sets, ["A=b", "C=d e"]);
    assert_eq!(one("A=b C='d e' f g=h").words, ["f", "g=h"]);
    assert_eq!(one("time cargo test").words, ["time", "cargo", "test"]);
    for text in [
        "cat <<E\n'x\" ;\nE\nls",
        "cat <<'E'\n$x `y` \\\n E\nE\nls",
        "cat <<\"E\" >x; ls\nE",
        "cat <<E | ls\nx\nE\n",
        "cat <<A <<B && ls\nA\nB\n",
        "cat<<E;ls\nE\n",
    ] {
        let list = split(text).unwrap_or_else(|why| panic!("{text:?}: {why}"));
        assert_eq!((list.len(), list[0].is_fed), (2, true), "{text:?}");
        assert_eq!((list[0].words[0].as_str(), list[1].words[0].as_str()), ("cat", "ls"));
    }
    let text = "git commit -m \"$(cat <<'EOF'\nfix: a\n\nb\nEOF\n)\" && ls";
    assert_eq!(one(text).words, ["git", "commit", "-m", "fix: a\n\nb"]);
    assert_eq!(split(text).unwrap().len(), 2);
}

#[test]
fn whatever_a_shell_could_take_for_more_is_refused_whole() {
    for text in REFUSED {
        assert!(split(text).is_err(), "{text:?} gave {:?}", split(text));
    }
}

#[test]
fn what_is_too_much_is_refused_and_never_cut() {
    let many = |n: usize| vec!["a"; n].join(";");
    assert!(split(&many(limits::gate::COMMAND_PARTS)).is_ok());
    assert!(split(&many(limits::gate::COMMAND_PARTS + 1)).is_err());
    assert!(split(&"a ".repeat(limits::gate::COMMAND_WORDS)).is_ok());
    assert!(split(&"a ".repeat(limits::gate::COMMAND_WORDS + 1)).is_err());
    assert!(split(&format!("echo '{}'", "x".repeat(limits::gate::COMMAND_BYTES - 7))).is_ok());
    assert!(split(&format!("echo '{}'", "x".repeat(limits::gate::COMMAND_BYTES - 6))).is_err());
}
