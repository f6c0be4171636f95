use envsubst::{Template, Undefined, Variables};
use proptest::prelude::*;

fn variables() -> Variables {
    [("a", "x*y"), ("b", "h\u{e9}"), ("n", "1")].into_iter().collect()
}

proptest! {
    /// Any text is rendered or refused.
    #[test]
    fn nothing_panics(text in r"([$][{]|[}]|[a-bn]|[:/#%,^=*?\[\]\\$-]|1|\PC){0,40}") {
        if let Ok(template) = Template::parse(&text) {
            let _ = template.render_bytes(&variables(), Undefined::Empty);
            let _ = template.render_bytes(&variables(), Undefined::Refused);
        }
    }

    /// A text without dollars is left as it is; one with doubled dollars is halved.
    #[test]
    fn dollars_are_halved(text in r"(\PC|\x00){0,40}") {
        let rendered = Template::parse(&text.replace('$', "$$")).unwrap();
        prop_assert_eq!(rendered.render(&variables(), Undefined::Refused).unwrap(), text);
    }
}
