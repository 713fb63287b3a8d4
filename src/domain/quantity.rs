//! Bytes, durations and ages, as people read them: units always, widths steady.

use jiff::{SignedDuration, Timestamp};

/// `0 B`, `8.2 kB`, `1.2 MB`, `38 MB`: powers of 1000 with two significant figures below ten, as SCREENS shows lag.
pub fn bytes(n: u64) -> String {
    scaled(n as f64, 1000.0, &["B", "kB", "MB", "GB", "TB", "PB"])
}

/// `2Gi`, `512Mi`: powers of 1024 as Kubernetes writes storage, without a space.
pub fn storage(n: u64) -> String {
    scaled(n as f64, 1024.0, &["B", "Ki", "Mi", "Gi", "Ti", "Pi"]).replace(' ', "")
}

fn scaled(mut n: f64, step: f64, units: &[&str]) -> String {
    let mut unit = 0;
    while n >= step - 0.5 && unit + 1 < units.len() {
        n /= step;
        unit += 1;
    }
    if unit == 0 || n >= 9.95 || (n - n.round()).abs() < 0.05 {
        format!("{n:.0} {}", units[unit])
    } else {
        format!("{n:.1} {}", units[unit])
    }
}

/// A short span: `0.4 ms`, `31 ms`, `1.2 s`, `14m`, `26h`, `3d`.
pub fn span(d: SignedDuration) -> String {
    let ms = d.as_secs_f64() * 1000.0;
    match ms {
        ms if ms < 0.05 => "0 ms".into(),
        ms if ms < 9.95 => format!("{ms:.1} ms"),
        ms if ms < 999.5 => format!("{ms:.0} ms"),
        ms if ms < 9_950.0 => format!("{:.1} s", ms / 1000.0),
        _ => age_of(d),
    }
}

/// A span to the tenth of a second, for what is timed: `0.4`, `15.2`, `4:07.3`. Never negative.
pub fn tenths(d: SignedDuration) -> String {
    // To the even one, as everything else is rounded.
    let tenths = (d.as_secs_f64().max(0.0) * 10.0).round_ties_even() as u64;
    let (minutes, rest, part) = (tenths / 600, tenths / 10 % 60, tenths % 10);
    if tenths < 1_000 { format!("{}.{part}", tenths / 10) } else { format!("{minutes}:{rest:02}.{part}") }
}

/// A count in groups of three: `4,812`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// How long ago, coarse on purpose: `4s`, `14m`, `26h`, `3d`. Never negative: clocks of two machines differ.
pub fn age(then: Timestamp, now: Timestamp) -> String {
    age_of(now.duration_since(then))
}

/// A duration in the shape of an age.
pub fn age_of(d: SignedDuration) -> String {
    let s = d.as_secs().max(0);
    match s {
        0..=99 => format!("{s}s"),
        100..=5_999 => format!("{}m", s / 60),
        6_000..=172_799 => format!("{}h", s / 3600),
        _ => format!("{}d", s / 86_400),
    }
}

/// A Kubernetes resource quantity in its base unit: `2Gi` → 2147483648, `500m` → 0.5, `1e3` → 1000.
///
/// Source: the serialization format of `k8s.io/apimachinery/pkg/api/resource.Quantity`.
pub fn kubernetes(text: &str) -> Option<f64> {
    const SUFFIXES: [(&str, f64); 15] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("Ei", 1_152_921_504_606_846_976.0),
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("E", 1e18),
    ];
    let text = text.trim();
    if let Ok(plain) = text.parse::<f64>() {
        return plain.is_finite().then_some(plain);
    }
    let (number, factor) = SUFFIXES.iter().find_map(|(s, f)| text.strip_suffix(s).map(|n| (n, *f)))?;
    number.parse::<f64>().ok().filter(|n| n.is_finite()).map(|n| n * factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bytes_keep_their_width() {
        let shown: Vec<_> = [0, 999, 1000, 8_200, 9_960, 38_000_000, 999_600, 1_200_000_000].map(bytes).into();
        assert_eq!(shown, ["0 B", "999 B", "1 kB", "8.2 kB", "10 kB", "38 MB", "1 MB", "1.2 GB"]);
        assert_eq!(storage(2 << 30), "2Gi");
    }

    #[test]
    fn spans_and_ages() {
        let ms = |n| span(SignedDuration::from_micros(n));
        assert_eq!(
            [ms(0), ms(400), ms(31_000), ms(1_200_000), ms(12_000_000)],
            ["0 ms", "0.4 ms", "31 ms", "1.2 s", "12s"]
        );
        assert_eq!(age_of(SignedDuration::from_secs(-3)), "0s");
        let timed = |n| tenths(SignedDuration::from_millis(n));
        assert_eq!(
            [timed(-5), timed(440), timed(15_160), timed(99_960), timed(247_300)],
            ["0.0", "0.4", "15.2", "1:40.0", "4:07.3"]
        );
        assert_eq!(age_of(SignedDuration::from_mins(14)), "14m");
        assert_eq!(age_of(SignedDuration::from_hours(26)), "26h");
    }

    #[test]
    fn counts_stand_in_groups_of_three() {
        assert_eq!([0, 999, 4_812, 1_234_567].map(count), ["0", "999", "4,812", "1,234,567"]);
    }

    #[test]
    fn quantities() {
        assert_eq!(kubernetes("2Gi"), Some(2_147_483_648.0));
        assert_eq!(kubernetes("500m"), Some(0.5));
        assert_eq!(kubernetes("1e3"), Some(1000.0));
        assert_eq!(kubernetes("12E"), Some(12e18));
        for bad in ["", "Gi", "two", "NaN", "1Qi"] {
            assert_eq!(kubernetes(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn bytes_fit_seven_characters(n in any::<u64>()) {
            prop_assert!(bytes(n).chars().count() <= 8, "{}", bytes(n));
        }
        #[test]
        fn quantity_never_panics(s in any::<String>()) {
            let _ = kubernetes(&s);
        }
    }
}
