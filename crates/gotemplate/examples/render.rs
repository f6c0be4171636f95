//! Renders test cases, one JSON object per line, from standard input: {"template", "data"}.
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::io::BufRead;

use gotemplate::{FuncSet, Options, Template, Value};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    struct World;
    impl gotemplate::Host for World {
        fn now(&self) -> Result<(i64, u32), String> {
            Ok((1_700_000_000, 0))
        }
    }
    let functions = FuncSet::text(std::sync::Arc::new(World));
    for line in std::io::stdin().lock().lines() {
        let mut case: serde_json::Value = serde_json::from_str(&line?)?;
        let text = case["template"].as_str().unwrap_or_default().to_owned();
        let data = Value::from(case["data"].take());
        let output = Template::parse("t", &text, &functions)
            .and_then(|template| template.execute(&data, &Options::default()));
        let answer = match output {
            Ok(output) => serde_json::json!({"template": text, "want": output}),
            Err(error) => serde_json::json!({"template": text, "wantErr": error.to_string()}),
        };
        println!("{answer}");
    }
    Ok(())
}
