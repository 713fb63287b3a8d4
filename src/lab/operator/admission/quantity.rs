//! Kubernetes quantities of storage: `1Gi`, `500M`, `1e9`.

/// The number of bytes, or `None` for what is no quantity.
pub fn bytes(text: &str) -> Option<f64> {
    const UNITS: [(&str, f64); 12] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("m", 0.001),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("E", 1e18),
    ];
    let (digits, unit) = UNITS
        .iter()
        .find_map(|(suffix, unit)| text.strip_suffix(suffix).map(|digits| (digits, *unit)))
        .unwrap_or((text, 1.0));
    let number: f64 = digits.parse().ok().filter(|n: &f64| n.is_finite())?;
    let plain = digits.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '.' | '+' | '-'));
    plain.then_some(number * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read() {
        assert_eq!(bytes("1Gi"), Some(1_073_741_824.0));
        assert_eq!(bytes("500M"), Some(500_000_000.0));
        assert_eq!(bytes("10"), Some(10.0));
        assert_eq!(bytes("1e3"), Some(1000.0));
        for wrong in ["", "much", "Gi", "1 Gi", "inf", "NaN"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }
}
