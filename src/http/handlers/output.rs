//! Output: the screen, the raw log and its index.

use crate::base::error::Result;
use crate::http::handlers::Api;
use crate::http::handlers::number;
use crate::http::message::Reply;
use crate::http::message::Request;
use crate::http::router::Params;
use crate::limits;
use serde_json::json;

const RAW: &str = "application/octet-stream";

/// The visible screen: `{output, cols, rows, cursor: {x, y, visible}, offset}`; of an ended session
/// the last one.
pub fn screen(api: &Api, _: &Request, params: &Params) -> Result<Reply> {
    let picture = api.picture(&api.resolve(params.get("id"))?)?;
    let (x, y, visible) = picture.cursor;
    let (cols, rows) = picture.size;
    Ok(Reply::json(
        200,
        &json!({
            "output": picture.text,
            "cols": cols,
            "rows": rows,
            "cursor": {"x": x, "y": y, "visible": visible},
            "offset": picture.offset,
        }),
    ))
}

/// Raw output from `?from=` on, at most `?len=` bytes. `X-CodePiper-From` is the offset of the
/// first byte (later than asked for where output is gone), `-Start` the oldest kept, `-End` where
/// the log ends. Empty at the end. With `?covered=true` secrets that the session was given are
/// covered with marks of the same length.
pub fn log(api: &Api, request: &Request, params: &Params) -> Result<Reply> {
    let row = api.resolve(params.get("id"))?;
    let (from, len) = (number(request, "from", 0)?, number(request, "len", limits::LOG_PIECE)?);
    let piece = match request.query("covered") {
        Some("true") => api.covered_piece(&row, from, len)?,
        _ => api.log_piece(&row, from, len)?,
    };
    Ok(Reply::bytes(200, RAW, piece.bytes)
        .header("X-CodePiper-From", piece.from.to_string())
        .header("X-CodePiper-Start", piece.start.to_string())
        .header("X-CodePiper-End", piece.end.to_string()))
}

/// The log's index as it is on disk: records of 24 bytes.
pub fn index(api: &Api, _: &Request, params: &Params) -> Result<Reply> {
    Ok(Reply::bytes(200, RAW, api.log_index(&api.resolve(params.get("id"))?)?))
}
