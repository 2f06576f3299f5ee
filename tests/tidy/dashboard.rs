//! Checks of `static/`: nothing there parses markup, names a foreign address or a file that is not
//! served, and its floors are `lib`, `parts`, `views`, and the pages on top.

use crate::expect;
use crate::numbered;
use crate::report;
use crate::source::Source;
use crate::source::read;
use crate::source::read_one;

/// What would make markup or code of text.
const MARKUP: &[&str] = &[
    "innerHTML",
    "outerHTML",
    "insertAdjacentHTML",
    "document.write",
    "DOMParser",
    "createContextualFragment",
    "eval(",
    "new Function",
    "srcdoc",
];

/// What stands in a page that the Content-Security-Policy would refuse.
const INLINE: &[&str] = &["<script>", "<style", " style=", " onclick=", " onload=", "javascript:"];

/// What the directories of `static/js` may import, besides themselves.
const FLOORS: &[(&str, &[&str])] =
    &[("lib", &[]), ("parts", &["lib", "vendor"]), ("views", &["lib", "parts"])];

fn scripts() -> Vec<Source> {
    read("static/js", ".js")
}

fn pages() -> Vec<Source> {
    ["static/index.html", "static/login.html"].into_iter().map(read_one).collect()
}

#[test]
fn the_dashboard_makes_no_markup_of_text() {
    let refused = |sources: &[Source], words: &[&str]| complain(sources, words, "text is text");
    report(refused(&scripts(), MARKUP));
    report(refused(&pages(), INLINE));
    expect(refused(&[Source::new("x.js", "row.innerHTML = name;")], MARKUP), "innerHTML");
    expect(refused(&[Source::new("x.html", "<p style=\"a\">")], INLINE), "style=");
}

#[test]
fn the_dashboard_names_no_foreign_address() {
    let foreign = |sources: &[Source]| {
        let mut found = complain(sources, &["http://", "https://"], "only our own origin");
        // A name space is a name.
        found.retain(|complaint| !complaint.contains("www.w3.org/2000/svg"));
        found
    };
    report(foreign(&[scripts(), pages(), read("static/css", ".css")].concat()));
    expect(foreign(&[Source::new("x.js", "fetch(\"https://cdn.example/x.js\")")]), "cdn.example");
}

fn complain(sources: &[Source], words: &[&str], why: &str) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        for (number, line) in numbered(&source.text) {
            let here = words.iter().filter(|word| line.contains(**word));
            found.extend(here.map(|_| format!("{}:{number}: {why}: {line}", source.path)));
        }
    }
    found
}

#[test]
fn each_script_and_style_says_first_what_it_is() {
    let silent = |sources: Vec<Source>| -> Vec<String> {
        let silent = sources.iter().filter(|s| !s.text.starts_with("/*"));
        silent.map(|s| format!("{}: the first line must say what it is", s.path)).collect()
    };
    report(silent([scripts(), read("static/css", ".css")].concat()));
    expect(silent(vec![Source::new("x.js", "import x;")]), "first line");
}

#[test]
fn scripts_import_what_is_served_and_stands_below_them() {
    report(imports(&scripts(), &served()));
    let lib = Source::new("static/js/lib/x.js", "import { a } from \"../parts/toast.js\";");
    expect(imports(&[lib], &served()), "may not import");
    let lost = Source::new("static/js/views/x.js", "import { a } from \"../lib/lost.js\";");
    expect(imports(&[lost], &served()), "not served");
}

fn imports(sources: &[Source], served: &[String]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources {
        let here = source.path.trim_start_matches("static/js/").split('/').next().unwrap_or("");
        let floor = FLOORS.iter().find(|(name, _)| *name == here);
        for (number, line) in numbered(&source.text) {
            let Some((_, quoted)) = line.split_once(" from \"") else { continue };
            let address = resolve(&source.path, quoted.trim_end_matches("\";"));
            let there = address.trim_start_matches("/js").split('/').nth(1).unwrap_or("");
            if !served.contains(&address) {
                complaints.push(format!("{}:{number}: {address} is not served", source.path));
            }
            if floor.is_some_and(|(name, may)| *name != there && !may.contains(&there)) {
                complaints.push(format!("{}:{number}: may not import {there}", source.path));
            }
        }
    }
    complaints
}

/// The address that `name` means in the script at `path`.
fn resolve(path: &str, name: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').skip(1).collect();
    parts.pop();
    for part in name.split('/') {
        match part {
            "" => parts.clear(),
            "." => {}
            ".." => drop(parts.pop()),
            other => parts.push(other),
        }
    }
    format!("/{}", parts.join("/"))
}

#[test]
fn pages_name_what_is_served() {
    report(links(&pages(), &served()));
    expect(links(&[Source::new("x.html", "<link href=\"/css/lost.css\">")], &served()), "lost.css");
}

fn links(pages: &[Source], served: &[String]) -> Vec<String> {
    let mut complaints = Vec::new();
    for page in pages {
        for attribute in ["href=\"", "src=\""] {
            let named =
                page.text.split(attribute).skip(1).filter_map(|rest| rest.split('"').next());
            let lost = named.filter(|address| !served.iter().any(|known| known == address));
            complaints.extend(lost.map(|address| format!("{}: no {address}", page.path)));
        }
    }
    complaints
}

#[test]
fn colours_have_one_home() {
    let coloured = |sources: &[Source]| -> Vec<String> {
        let away = sources.iter().filter(|s| !s.path.ends_with("tokens.css"));
        away.flat_map(|s| numbered(&s.text).map(move |(number, line)| (s, number, line)))
            .filter(|(_, _, line)| line.split(": #").skip(1).any(|rest| rest.contains(';')))
            .map(|(s, number, _)| format!("{}:{number}: a colour: use tokens.css", s.path))
            .collect()
    };
    report(coloured(&read("static/css", ".css")));
    expect(coloured(&[Source::new("x.css", "a { color: #fff; }")]), "tokens.css");
}

/// What build.rs packs: own files under their own names, libraries as its table names them.
fn served() -> Vec<String> {
    let own = scripts();
    let mut served: Vec<String> =
        own.iter().map(|s| s.path.trim_start_matches("static").to_string()).collect();
    let packed = read_one("build.rs");
    let rows = packed.text.split("\"/").skip(1).filter_map(|rest| rest.split('"').next());
    served.extend(rows.map(|address| format!("/{address}")));
    served.push("/icon.svg".to_string());
    served
}
