//! Chains that PostHog's own tests use: `posthog/test/test_element_model.py`, its plugin server's
//! `elements-chain.test.ts`, and posthog-js's `autocapture.test.ts`, `action-matcher.test.ts` and
//! `lazy-loaded-dead-clicks-autocapture.test.ts`.

pub(super) const ESCAPED: &str = r#"a.small:data-attr="something \" that; could mess up"href="/a-url"nth-child="1"nth-of-type="0"number="33"prop="value"style="min-height: 100vh;"text="bla bla";button.btn.btn-primary:nth-child="0"nth-of-type="0";div:nth-child="0"nth-of-type="0";div:attr_id="nested"nth-child="0"nth-of-type="0""#;

/// Whole chains.
pub(super) const WHOLE: [&str; 9] = [
    ESCAPED,
    r#"svg.LemonIcon.text-3xl:attr__class="LemonIcon text-3xl"attr__fill="currentColor"attr__width="100%"nth-child="1"nth-of-type="1";div:attr_id="nested"nth-child="0"nth-of-type="0""#,
    r#"a.small.xy:z:attr_class="xyz small\""href="/a-url"nth-child="0"nth-of-type="0""#,
    r#".another.something:attr__class="something another"nth-child="0"nth-of-type="0""#,
    r#"a.test-class.test-class2.test-class3.test-class4.test-class5:attr__class="test-class test-class2 test-class3 test-class4 test-class5"attr__href="http://test.com"href="http://test.com"nth-child="1"nth-of-type="1";span:nth-child="1"nth-of-type="1""#,
    r#"a:nth-child="1"nth-of-type="1"text="Course Title: \"Understanding the 'Creative Process' in Modern Design\"""#,
    r#"body:nth-child="2"nth-of-type="1"text="text""#,
    r#"button.primary:text="Click""#,
    r#"div:nth-child="1"nth-of-type="2"text="💻""#,
];

/// Texts that PostHog's readers take a part of.
pub(super) const BROKEN: [(&str, usize); 6] = [
    ("a........small", 0),
    ("\"a........small", 0),
    (r#"a:attr_id="cutoff"text""#, 22),
    ("elements_chain_value", 0),
    ("some-element", 0),
    (r#"button:neutral.some-class another-class;span"#, 0),
];
