//! Formats scenario runs as JUnit XML: one test case for each scenario.

use std::fmt::Write as _;

use crate::stage::Record;
use squall_referee::verdict::Outcome;

/// Returns all runs as one suite.
#[must_use]
pub fn junit(records: &[Record]) -> String {
    let count = |outcome| records.iter().filter(|record| record.verdict.outcome == outcome).count();
    let seconds: f64 = records.iter().map(|record| record.seconds).sum();
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"squall\" tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"{seconds:.3}\">\n",
        records.len(),
        count(Outcome::Fail),
        count(Outcome::Inconclusive)
    );
    for record in records {
        let name = escaped(&record.scenario);
        // Writing to a string cannot fail.
        let _ = write!(xml, "  <testcase classname=\"chaos\" name=\"{name}\" time=\"{:.3}\">", record.seconds);
        let reasons: Vec<String> =
            record.verdict.reasons.iter().map(|reason| format!("{}: {}", reason.outcome, reason.text)).collect();
        let (first, all) = (escaped(reasons.first().map_or("", String::as_str)), escaped(&reasons.join("\n")));
        let _ = match record.verdict.outcome {
            Outcome::Pass => write!(xml, ""),
            Outcome::Fail => write!(xml, "<failure message=\"{first}\">{all}</failure>"),
            Outcome::Inconclusive => write!(xml, "<error message=\"{first}\">{all}</error>"),
            // No requirement was violated, but a reader may want to know.
            Outcome::Degraded => write!(xml, "<system-out>{all}</system-out>"),
        };
        xml.push_str("</testcase>\n");
    }
    xml + "</testsuite>\n"
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // XML allows no other control characters.
            letter if letter.is_control() && letter != '\n' && letter != '\t' => escaped.push('\u{fffd}'),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_minds_is_escaped() {
        assert_eq!(escaped("a<b> & \"c\"\u{1b}"), "a&lt;b&gt; &amp; &quot;c&quot;\u{fffd}");
    }
}
