//! Env sets over a store and a key of their own.

use super::*;
use crate::model::audit::Filter;
use crate::service::login::stand::Stand;

fn vars(pairs: &[(&str, &str)]) -> Vars {
    let mut vars = Vars::default();
    pairs.iter().for_each(|(name, value)| vars.put(*name, *value));
    vars
}

fn new(name: &str, pairs: &[(&str, &str)]) -> NewEnvSet {
    NewEnvSet { name: name.into(), vars: vars(pairs), ..NewEnvSet::default() }
}

fn opened(stand: &Stand, words: &str) -> Vec<(String, String)> {
    let set = stand.service.find_env_set(words).unwrap();
    env_sealed::open(&stand.service.logins.keys, &set).unwrap().into_pairs()
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.into(), value.into())
}

#[test]
fn single_variables_are_set_and_taken_out_and_each_change_has_its_version() {
    let mut stand = Stand::new("env-sets");
    let made = stand.service.create_env_set(new("prod", &[("A", "1"), ("B", "2")]), "t").unwrap();
    assert_eq!((made.version, &made.names[..]), (1, &["A".to_string(), "B".to_string()][..]));
    let change = EnvSetChange {
        set: vars(&[("B", "3"), ("C", "4")]),
        unset: vec!["A".into()],
        ..EnvSetChange::default()
    };
    let changed = stand.service.change_env_set("prod", change, "t").unwrap();
    assert_eq!((changed.version, changed.id.as_str()), (2, made.id.as_str()));
    assert_eq!(opened(&stand, "prod"), [pair("B", "3"), pair("C", "4")]);
    let named = EnvSetChange { name: Some("live".into()), ..EnvSetChange::default() };
    stand.service.change_env_set(&made.id[..8], named, "t").unwrap();
    let about = EnvSetChange { description: Some("x".into()), ..EnvSetChange::default() };
    assert_eq!(stand.service.change_env_set("live", about, "t").unwrap().version, 3);
    stand.restart();
    assert_eq!(opened(&stand, "live"), [pair("B", "3"), pair("C", "4")]);
    let all = EnvSetChange { vars: Some(vars(&[("Z", "9")])), ..EnvSetChange::default() };
    stand.service.change_env_set("live", all, "t").unwrap();
    assert_eq!(opened(&stand, "live"), [pair("Z", "9")]);
    assert_eq!(stand.service.delete_env_set("live", "t").unwrap().0.id, made.id);
    let error = stand.service.find_env_set("live").unwrap_err();
    assert_eq!(error.code, Code::NotFound);
    assert!(error.message.contains("env-set list"), "{error}");
}

#[test]
fn names_that_are_none_or_taken_and_values_that_no_program_takes_are_refused() {
    let stand = Stand::new("env-sets-bad");
    let create = |new| stand.service.create_env_set(new, "t").map(drop);
    create(new("one", &[("A", "1")])).unwrap();
    create(new("two", &[("A", "1")])).unwrap();
    let long = "x".repeat(1024 * 1024);
    let name = "N".repeat(257);
    for (new, code, why) in [
        (new("one", &[("A", "1")]), Code::Conflict, "already"),
        (new("", &[("A", "1")]), Code::Invalid, "--name"),
        (new(&"x".repeat(101), &[("A", "1")]), Code::Invalid, "100 characters"),
        (new("x", &[("A", &long)]), Code::Invalid, "give that file's path"),
        (new("x", &[("A", "a\0b")]), Code::Invalid, "NUL"),
        (new("x", &[("1A", "v")]), Code::Invalid, "begins with no digit"),
        (new("x", &[("A B", "v")]), Code::Invalid, "is no name"),
        (new("x", &[(&name, "v")]), Code::Invalid, "256 bytes"),
        (new("x", &[("CODEPIPER_SECRET", "v")]), Code::Invalid, "codepiper itself"),
        (new("x", &[("CLAUDECODE", "1")]), Code::Invalid, "another agent"),
        (new("x", &[("LD_PRELOAD", "/x.so")]), Code::Invalid, "--allow-loader-vars"),
        (new("x", &[("NODE_OPTIONS", "-r x")]), Code::Invalid, "--allow-loader-vars"),
    ] {
        let error = create(new).unwrap_err();
        assert!(error.code == code && error.message.contains(why), "{why}: {error}");
        assert!(!error.message.contains("/x.so"), "{error}");
    }
    let many: Vec<String> = (0..1001).map(|n| format!("V{n}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "v")).collect();
    assert!(create(new("x", &many)).unwrap_err().message.contains("at most 1000"));
    let allowed = NewEnvSet { allow_loaders: true, ..new("x", &[("LD_PRELOAD", "/x.so")]) };
    create(allowed).unwrap();
    let rename = EnvSetChange { name: Some("two".into()), ..EnvSetChange::default() };
    let error = stand.service.change_env_set("one", rename, "t").unwrap_err();
    assert_eq!(error.code, Code::Conflict);
    let unset = EnvSetChange { unset: vec!["B".into()], ..EnvSetChange::default() };
    let error = stand.service.change_env_set("one", unset, "t").unwrap_err();
    assert!(error.message.contains("no variable B"), "{error}");
    assert_eq!(opened(&stand, "one"), [pair("A", "1")], "nothing was changed");
}

#[test]
fn each_change_is_on_record_with_names_and_without_values() {
    let stand = Stand::new("env-sets-audit");
    stand.service.create_env_set(new("prod", &[("A", "canary-one")]), "cli").unwrap();
    let change = EnvSetChange { set: vars(&[("B", "canary-two")]), ..EnvSetChange::default() };
    stand.service.change_env_set("prod", change, "cli").unwrap();
    stand.service.delete_env_set("prod", "cli").unwrap();
    let filter = Filter { kind: Some(Kind::Setting), limit: 10, ..Filter::default() };
    let rows = stand.service.audit(&filter).unwrap();
    let said: Vec<&str> = rows.iter().map(|row| row.entry.reason.as_str()).collect();
    assert_eq!(said, ["env set prod made", "env set prod changed", "env set prod removed"]);
    let details = rows[1].entry.details.clone().unwrap();
    assert_eq!((&details["added"], &details["version"]), (&json!(["B"]), &json!(2)));
    assert!(!format!("{rows:?}").contains("canary"));
}

#[test]
fn a_set_that_does_not_open_can_be_replaced_as_a_whole_and_removed() {
    let stand = Stand::new("env-sets-lost");
    stand.service.create_env_set(new("prod", &[("A", "1")]), "t").unwrap();
    let mut set = stand.service.find_env_set("prod").unwrap();
    set.sealed[20] ^= 1;
    stand.service.store().write(move |tx| env_sets::update(tx, &set, 1)).unwrap();
    let one = EnvSetChange { set: vars(&[("B", "2")]), ..EnvSetChange::default() };
    let error = stand.service.change_env_set("prod", one, "t").unwrap_err();
    assert!(error.message.contains("prod does not open"), "{error}");
    let all = EnvSetChange { vars: Some(vars(&[("B", "2")])), ..EnvSetChange::default() };
    stand.service.change_env_set("prod", all, "t").unwrap();
    assert_eq!(opened(&stand, "prod"), [pair("B", "2")]);
    stand.service.delete_env_set("prod", "t").unwrap();
}

#[test]
fn an_older_row_put_back_whole_does_not_open() {
    let stand = Stand::new("env-sets-rolled-back");
    let old = stand.service.create_env_set(new("prod", &[("A", "1")]), "t").unwrap();
    let change = EnvSetChange { set: vars(&[("A", "2")]), ..EnvSetChange::default() };
    let changed = stand.service.change_env_set("prod", change, "t").unwrap();
    assert!(stand.service.open_env_set(&changed).is_ok());
    let put_back = old.clone();
    stand.service.store().write(move |tx| env_sets::update(tx, &put_back, 2)).unwrap();
    let found = stand.service.find_env_set("prod").unwrap();
    assert_eq!(found.version, 1);
    let error = stand.service.open_env_set(&found).map(drop).unwrap_err();
    assert!(error.message.contains("by the audit log 2 counts"), "{error}");
}
