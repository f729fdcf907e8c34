//! Whether a server's refusal may pass, and how long it asks to wait.

use std::time::{Duration, SystemTime};

use hyper::StatusCode;
use hyper::header::HeaderMap;

/// Whether the same request may succeed later.
pub(crate) fn may_pass(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 409 | 425 | 429 | 500 | 502 | 503 | 504 | 529)
}

/// How long the server asks to wait: `retry-after-ms`, or `retry-after` in seconds or as a date.
///
/// A date counts from the server's own `date`, if it gives one, since our clock may be wrong. What
/// is negative or makes no sense is no wish; what is beyond counting is [`Duration::MAX`].
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let date = |name: &str| text(name).and_then(|text| httpdate::parse_http_date(text.trim()).ok());
    let number = |text: &str, unit: f64| match text.trim().parse::<f64>() {
        Ok(number) if number >= 0.0 => {
            Some(Duration::try_from_secs_f64(number / unit).unwrap_or(Duration::MAX))
        }
        _ => None,
    };
    if let Some(wait) = text("retry-after-ms").and_then(|text| number(text, 1000.0)) {
        return Some(wait);
    }
    let after = text("retry-after")?;
    number(after, 1.0).or_else(|| {
        let from = date("date").unwrap_or(now);
        Some(date("retry-after")?.duration_since(from).unwrap_or(Duration::ZERO))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(headers: &[(&'static str, &str)]) -> Option<Duration> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        retry_after(&map, SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777))
    }

    #[test]
    fn retry_after_in_every_form() {
        let seconds = |seconds| Some(Duration::from_secs_f64(seconds));
        assert_eq!(asked(&[]), None);
        assert_eq!(asked(&[("retry-after", "7")]), seconds(7.0));
        assert_eq!(asked(&[("retry-after", " 0.5 ")]), seconds(0.5));
        assert_eq!(asked(&[("retry-after-ms", "250"), ("retry-after", "7")]), seconds(0.25));
        assert_eq!(asked(&[("retry-after-ms", "soon"), ("retry-after", "7")]), seconds(7.0));
        assert_eq!(asked(&[("retry-after", "-3")]), None);
        assert_eq!(asked(&[("retry-after", "NaN")]), None);
        assert_eq!(asked(&[("retry-after", "later")]), None);
        assert_eq!(asked(&[("retry-after", "86400")]), seconds(86400.0));
        assert_eq!(asked(&[("retry-after", "1e300")]), Some(Duration::MAX));
    }

    #[test]
    fn retry_after_as_a_date_counts_from_the_servers_clock() {
        let date = ("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT");
        assert_eq!(asked(&[date]), Some(Duration::from_secs(10)));
        assert_eq!(
            asked(&[date, ("date", "Sun, 06 Nov 1994 08:49:44 GMT")]),
            Some(Duration::from_secs(3))
        );
        assert_eq!(asked(&[date, ("date", "Sun, 06 Nov 1994 09:49:44 GMT")]), Some(Duration::ZERO));
    }
}
