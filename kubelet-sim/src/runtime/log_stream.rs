//! Streams a log: its last lines, and the new ones if the request follows it.

use std::sync::Arc;

use futures_util::{Stream, StreamExt, stream};
use squall_proto::squall::cri::v1 as cri;

use super::log::{Line, Log};

/// Returns the lines that a request asks for.
pub fn lines(log: Arc<Log>, request: cri::LogsRequest) -> impl Stream<Item = cri::LogLine> {
    let news = log.news();
    // The lines and the position are read together, so that each later line is sent once.
    let (lines, seen) = log.after(0);
    let first = wanted(lines, &request);
    let later = stream::unfold((log, news, seen), |(log, mut news, seen)| async move {
        // An ended log whose last lines have been sent has no more.
        news.wait_for(|count| count.lines > seen || count.ended).await.ok()?;
        let (lines, next) = log.after(seen);
        (next > seen).then_some((lines, (log, news, next)))
    });
    let later = if request.follow { later.left_stream() } else { stream::empty().right_stream() };
    stream::iter(first).chain(later.flat_map(stream::iter)).map(line_to)
}

fn wanted(mut lines: Vec<Line>, request: &cri::LogsRequest) -> Vec<Line> {
    lines.retain(|line| line.at.as_nanosecond() >= i128::from(request.since));
    let tail = request.tail_lines.and_then(|tail| usize::try_from(tail).ok()).unwrap_or(usize::MAX);
    lines.split_off(lines.len().saturating_sub(tail))
}

fn line_to(line: Line) -> cri::LogLine {
    cri::LogLine { at: i64::try_from(line.at.as_nanosecond()).unwrap_or(i64::MAX), text: line.text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    async fn texts(log: &Arc<Log>, request: cri::LogsRequest) -> Vec<String> {
        lines(log.clone(), request).map(|line| line.text).collect().await
    }

    #[tokio::test]
    async fn the_last_lines_are_told_and_those_to_come() {
        let log = Arc::new(Log::new());
        ["a", "b", "c"].iter().for_each(|text| log.write((*text).to_owned()));
        let tail = cri::LogsRequest { tail_lines: Some(2), ..cri::LogsRequest::default() };
        assert_eq!(texts(&log, tail).await, ["b", "c"]);
        let future = cri::LogsRequest { since: i64::MAX, ..cri::LogsRequest::default() };
        assert!(texts(&log, future).await.is_empty());
        let follow = cri::LogsRequest { follow: true, ..cri::LogsRequest::default() };
        let following = tokio::spawn({
            let log = log.clone();
            async move { texts(&log, follow).await }
        });
        log.write("d".to_owned());
        log.end();
        let told = tokio::time::timeout(Duration::from_secs(30), following).await.unwrap().unwrap();
        assert_eq!(told, ["a", "b", "c", "d"]);
    }
}
