//! The audit log: its rows, its head, its key, and whether it is what it was.

use crate::base::error::{Error, Result};
use crate::base::json::Fields;
use crate::base::secret::wipe;
use crate::base::time;
use crate::http::answer::Answer;
use crate::http::download;
use crate::http::download::Body;
use crate::http::handlers::Api;
use crate::http::handlers::client;
use crate::http::handlers::number;
use crate::http::message::Reply;
use crate::http::message::Request;
use crate::http::router::Params;
use crate::http::shape;
use crate::limits;
use crate::model::audit::Asked;
use crate::model::audit::Filter;
use crate::model::audit::Head;
use crate::model::audit::Kind;
use crate::model::audit::Report;
use crate::model::audit_table;
use crate::model::call::Action;
use crate::model::chain::Secret;
use serde_json::Value;
use serde_json::json;

/// Rows of an export that are read at once.
const EXPORTED: usize = 500;

/// `{entries: [entry], hasMore, next?}`, newest last, selected by `?sessionId=&decision=&kind=&
/// tool=&from=TIME&to=TIME&text=&limit=`; `text` stands in the tool, its arguments, the reason, the
/// policy or the rule. With `since=SEQ` the oldest behind that row that fit, for who reads page by
/// page; `before=SEQ` goes the other way. `next` is the `since` or `before` of the next page. A
/// search by text or tool looks into many rows and not into all at once: it may find none and have
/// more.
pub fn list(api: &Api, request: &Request, _: &Params) -> Result<Reply> {
    let found = api.audit_page(&filter(api, request)?)?;
    let shown: Vec<Value> = found.entries.iter().map(shape::entry).collect();
    let mut body = json!({"entries": shown, "hasMore": found.more.is_some()});
    if let Some(next) = found.more {
        body["next"] = next.into();
    }
    Ok(Reply::json(200, &body))
}

/// All rows that `?sessionId=&decision=&kind=&tool=&from=TIME&to=TIME&text=` select, oldest first,
/// as a file to be kept: `?format=jsonl` (the default; each line an `entry`) or `csv`. A reply that
/// breaks off before its end is not whole. At most [`limits::EXPORTS`] at a time.
pub fn export(api: &Api, request: Request, _: &Params, answer: Answer) {
    let asked = || -> Result<(Filter, bool)> {
        let csv = match request.query("format") {
            None | Some("jsonl") => false,
            Some("csv") => true,
            Some(other) => {
                return Err(Error::invalid(format!("format is jsonl or csv, not {other:?}")));
            }
        };
        if let Some(name) =
            ["limit", "since", "before"].into_iter().find(|n| request.query(n).is_some())
        {
            return Err(Error::invalid(format!("an export has all rows; it has no {name}")));
        }
        Ok((Filter { after: Some(0), limit: EXPORTED, ..filter(api, &request)? }, csv))
    };
    let (filter, csv) = match asked() {
        Ok(asked) => asked,
        Err(error) => return answer.send(Reply::error(&error)),
    };
    let (kind, name) = match csv {
        true => ("text/csv; charset=utf-8", "audit.csv"),
        false => ("application/x-ndjson", "audit.jsonl"),
    };
    let reply = Reply::bytes(200, kind, Vec::new())
        .header("Content-Disposition", format!("attachment; filename=\"{name}\""));
    let api = api.clone();
    download::send(answer, reply, move |body| write_rows(&api, filter, csv, body));
}

fn write_rows(api: &Api, mut filter: Filter, csv: bool, body: &mut Body) -> Result<()> {
    if csv {
        body.write(format!("{}\n", audit_table::csv_head()).as_bytes())?;
    }
    loop {
        let page = api.audit_page(&filter)?;
        let mut lines = String::new();
        for entry in page.entries.iter().map(shape::entry) {
            lines.push_str(&if csv { audit_table::csv(&entry) } else { entry.to_string() });
            lines.push('\n');
        }
        body.write(lines.as_bytes())?;
        match page.more {
            Some(next) => filter.after = Some(next),
            None => return Ok(()),
        }
    }
}

/// Takes `{key?, head?}`, a key that was noted and a head `SEQ:HASH`; reads the whole log and
/// answers `{ok, rows, head?, hash?, key?, keyed?: {from, to}, findings: [{row, what, text}]}`, as
/// `codepiper audit verify --json` has it. One at a time: meanwhile others are `busy`. The key is
/// not kept.
pub fn verify(api: &Api, request: Request, _: &Params, answer: Answer) {
    let asked = request.json().and_then(|mut body| {
        let asked = parse_check(&body);
        wipe(&mut body);
        asked
    });
    let asked = match asked {
        Ok(asked) => asked,
        Err(error) => return answer.send(Reply::error(&error)),
    };
    let tell = move |report: Result<Report>| {
        answer.send(match report {
            Ok(report) => Reply::json(200, &report.to_json()),
            Err(error) => Reply::error(&error),
        });
    };
    api.verify_audit(asked, Box::new(tell));
}

fn parse_check(body: &Value) -> Result<Asked> {
    let fields = Fields::of(body)?;
    fields.only(&["key", "head"])?;
    let wrong = || Error::invalid("field \"head\" must be SEQ:HASH, as GET /audit/head has it");
    let head = fields.text("head")?.map(|text| Head::parse(text).ok_or_else(wrong));
    Ok(Asked {
        secret: fields.text("key")?.map(Secret::parse).transpose()?,
        head: head.transpose()?,
    })
}

fn filter(api: &Api, request: &Request) -> Result<Filter> {
    let kind = request.query("kind").map(|word| {
        let words: Vec<&str> = Kind::ALL.iter().map(|kind| kind.word()).collect();
        let unknown = || format!("unknown kind {word:?}; known are {}", words.join(", "));
        Kind::from_word(word).ok_or_else(|| Error::invalid(unknown()))
    });
    let time = |name| {
        let parse = |text: &str| {
            let wrong = || format!("{name} is a time like 2026-11-24T06:50:47Z, not {text:?}");
            time::parse_rfc3339(text).ok_or_else(|| Error::invalid(wrong()))
        };
        request.query(name).map(parse).transpose()
    };
    let text = request.query("text").filter(|text| !text.is_empty()).map(str::to_string);
    if text.as_ref().is_some_and(|text| text.chars().count() > limits::AUDIT_TEXT) {
        let most = limits::AUDIT_TEXT;
        return Err(Error::invalid(format!("text may have {most} characters")));
    }
    let seq = |name| {
        let number = request.query(name).map(|_| number(request, name, 0)).transpose()?;
        Ok(number.map(|number| i64::try_from(number).unwrap_or(i64::MAX)))
    };
    Ok(Filter {
        session: session(api, request),
        decision: decision(request)?,
        kind: kind.transpose()?,
        tool: request.query("tool").map(str::to_string),
        text,
        since_ms: time("from")?,
        until_ms: time("to")?,
        after: seq("since")?,
        before: seq("before")?,
        limit: number(request, "limit", 100)?.clamp(1, limits::PAGE) as usize,
    })
}

/// The session that is asked about. Rows outlive their session: an id that is not there any more
/// is looked up as it is.
pub fn session(api: &Api, request: &Request) -> Option<String> {
    let known = |id: &str| api.resolve(id).map_or_else(|_| id.to_string(), |row| row.id);
    request.query("sessionId").map(known)
}

/// The decision that is asked about.
pub fn decision(request: &Request) -> Result<Option<Action>> {
    let Some(word) = request.query("decision") else { return Ok(None) };
    let wrong = || Error::invalid(format!("decision is allow, deny or ask, not {word:?}"));
    Action::from_word(word).ok_or_else(wrong).map(Some)
}

/// `{entry}`.
pub fn show(api: &Api, _: &Request, params: &Params) -> Result<Reply> {
    let wrong = || Error::invalid("a row of the audit log has a whole number");
    let row = api.audit_row(params.get("seq").parse().map_err(|_| wrong())?)?;
    Ok(Reply::json(200, &json!({"entry": shape::entry(&row)})))
}

/// `{seq, hash, head: "SEQ:HASH"}`.
pub fn head(api: &Api, _: &Request, _: &Params) -> Result<Reply> {
    let head = api.audit_head()?;
    let hash = crate::base::id::hex(&head.hash);
    Ok(Reply::json(200, &json!({"seq": head.seq, "hash": hash, "head": head.to_string()})))
}

/// Begins a key; answers `{key, name, seq}`. This is the only time that the key is told.
pub fn key(api: &Api, request: &Request, _: &Params) -> Result<Reply> {
    let (secret, seq) = api.begin_audit_key(&client(request))?;
    let body = json!({"key": secret.text(), "name": secret.name(), "seq": seq});
    Ok(Reply::json(201, &body))
}
