use super::*;

fn bars(unit: Unit, rows: &[(&str, f64)]) -> Bars {
    let rows = rows.iter().map(|(label, value)| Bar { label: (*label).into(), value: *value }).collect();
    Bars { title: "Bytes by prefix".into(), subtitle: "bucket photos".into(), unit, rows }
}

/// The name, the attributes and the text of an element.
type Element = (String, Vec<(String, String)>, String);

/// The begin tags' names and attributes of an SVG, and the texts. Panics when it is not well formed.
fn parse(svg: &str) -> Vec<Element> {
    let (mut found, mut open, mut rest) = (Vec::new(), Vec::new(), svg);
    while let Some(at) = rest.find('<') {
        let told = rest[..at].trim();
        assert!(!told.contains(['>', '"']), "{told}");
        if let Some((_, _, text)) = found.last_mut() {
            *text = format!("{text}{told}");
        }
        let end = rest[at..].find('>').expect("a tag ends") + at;
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(closed));
            continue;
        }
        let (tag, alone) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        let attributes = attributes.split("\" ").filter(|part| !part.is_empty()).map(|part| {
            let (name, value) = part.split_once("=\"").expect("an attribute");
            (name.to_owned(), value.trim_end_matches('"').to_owned())
        });
        found.push((name.to_owned(), attributes.collect(), String::new()));
        if !alone {
            open.push(name.to_owned());
        }
    }
    assert!(open.is_empty(), "{open:?}");
    found
}

fn texts(svg: &str) -> Vec<String> {
    parse(svg).into_iter().filter(|(name, ..)| name == "text").map(|(_, _, text)| text).collect()
}

fn number(attributes: &[(String, String)], name: &str) -> f64 {
    attributes.iter().find(|(found, _)| found == name).expect("the attribute").1.parse().expect("a number")
}

#[test]
fn a_picture_has_its_title_a_bar_and_a_value_for_each_row_and_a_scale_with_units() {
    let svg = bars(Unit::Bytes, &[("raw/", 3.5 * 1024.0 * 1024.0), ("tmp/", 512.0 * 1024.0), ("none/", 0.0)]);
    let svg = svg.to_svg().unwrap();
    let told = texts(&svg);
    for expected in
        ["Bytes by prefix", "bucket photos", "raw/", "tmp/", "none/", "3.5 MiB", "512 KiB", "0 B", "1 MiB"]
    {
        assert!(told.iter().any(|text| text == expected), "{expected}: {told:?}");
    }
    // The ground and one bar each.
    assert_eq!(parse(&svg).iter().filter(|(name, ..)| name == "rect").count(), 4);
}

#[test]
fn markup_in_names_stays_text_and_what_xml_forbids_is_replaced() {
    let names =
        ["</text><script>alert(1)</script>", "a&b\"c'd", "bell\u{7}\u{1b}[31m", "\u{202e}gpj.exe", "]]>"];
    let rows: Vec<(&str, f64)> = names.iter().map(|name| (*name, 1.0)).collect();
    let mut picture = bars(Unit::Count, &rows);
    picture.title = "<svg onload=alert(1)>".into();
    let svg = picture.to_svg().unwrap();
    let tags: std::collections::BTreeSet<String> = parse(&svg).into_iter().map(|(name, ..)| name).collect();
    assert!(!tags.contains("script"), "{tags:?}");
    assert!(svg.contains("&lt;/text&gt;&lt;script&gt;") && svg.contains("a&amp;b&quot;c&apos;d"), "{svg}");
    assert!(!svg.contains(['\u{7}', '\u{1b}', '\u{202e}']));
    assert_eq!(svg.matches("<svg").count(), 1);
}

#[test]
fn bars_stand_between_labels_and_values_and_inside_the_picture_whatever_the_names_are() {
    let long = "a-very-long-prefix-with-many-levels/".repeat(20);
    let wide = "\u{6f22}".repeat(200);
    for unit in [Unit::Bytes, Unit::Count] {
        let rows =
            [(long.as_str(), 1e15), (wide.as_str(), -3e14), ("", 1.0), ("x", f64::NAN), ("y", f64::INFINITY)];
        let svg = bars(unit, &rows).to_svg().unwrap();
        for (name, attributes, text) in parse(&svg) {
            let width = match name.as_str() {
                "rect" => number(&attributes, "width"),
                "text" => f64::from(text::width(&text, 13)),
                _ => continue,
            };
            let x = number(&attributes, "x");
            let anchor =
                attributes.iter().find(|(name, _)| name == "text-anchor").map(|(_, value)| value.as_str());
            let from = match anchor {
                Some("end") => x - width,
                Some("middle") => x - width / 2.0,
                _ => x,
            };
            assert!(from >= -1.0 && from + width <= f64::from(WIDTH) + 1.0, "{name} {text} {from} {width}");
        }
    }
}

#[test]
fn more_rows_than_a_picture_holds_are_counted_and_none_is_said() {
    let names: Vec<String> = (0..BARS_MAX + 3).map(|number| format!("p{number}/")).collect();
    let rows: Vec<(&str, f64)> = names.iter().map(|name| (name.as_str(), 1.0)).collect();
    let told = texts(&bars(Unit::Count, &rows).to_svg().unwrap());
    assert!(told.contains(&"and 3 more".into()) && !told.contains(&"p40/".into()), "{told:?}");
    assert!(texts(&bars(Unit::Count, &[]).to_svg().unwrap()).contains(&"There are no rows.".into()));
}

#[test]
fn what_grew_and_what_shrank_stand_on_two_sides_of_zero() {
    let scale = Scale::over([-300.0, 900.0].into_iter(), Unit::Count);
    assert_eq!(scale.ticks, [-500.0, 0.0, 500.0, 1000.0]);
    assert!(scale.fraction(-300.0) < scale.fraction(0.0) && scale.fraction(0.0) < scale.fraction(900.0));
    let bytes = Scale::over([5.0 * 1024.0 * 1024.0].into_iter(), Unit::Bytes);
    let labels: Vec<String> = bytes.ticks.iter().map(|tick| bytes.label(*tick)).collect();
    assert_eq!(labels, ["0 B", "1 MiB", "2 MiB", "3 MiB", "4 MiB", "5 MiB"]);
}

#[test]
fn a_long_text_loses_its_middle() {
    let cut = text::fit("warehouse/namespace/table/data/part-00001.parquet", 200, 13);
    assert!(cut.starts_with("warehouse") && cut.ends_with("parquet") && cut.contains('\u{2026}'), "{cut}");
    assert!(text::width(&cut, 13) <= 200);
    assert_eq!(text::fit("short", 200, 13), "short");
}
