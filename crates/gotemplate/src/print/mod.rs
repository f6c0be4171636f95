//! Go's `fmt`: the text of values, by verb or by default.

mod flag;
mod format;
mod pad;
mod value;

use crate::Value;
use crate::limit::{Budget, Exhausted};

use flag::Flags;

/// `fmt.Sprint`: default format, a space between operands when neither is a string.
pub(crate) fn sprint(args: &[Value], budget: &Budget) -> Result<Vec<u8>, Exhausted> {
    let mut printer = Printer::new(budget);
    let mut after_string = true;
    for (at, arg) in args.iter().enumerate() {
        let is_string = arg.kind() == crate::Kind::String;
        if at > 0 && !is_string && !after_string {
            printer.out.push(b' ');
        }
        printer.arg(arg, 'v')?;
        after_string = is_string;
    }
    Ok(printer.out)
}

/// `fmt.Sprintln`.
pub(crate) fn sprintln(args: &[Value], budget: &Budget) -> Result<Vec<u8>, Exhausted> {
    let mut printer = Printer::new(budget);
    for (at, arg) in args.iter().enumerate() {
        if at > 0 {
            printer.out.push(b' ');
        }
        printer.arg(arg, 'v')?;
    }
    printer.out.push(b'\n');
    Ok(printer.out)
}

/// `fmt.Sprintf`.
pub(crate) fn sprintf(
    format: &[u8],
    args: &[Value],
    budget: &Budget,
) -> Result<Vec<u8>, Exhausted> {
    let mut printer = Printer::new(budget);
    printer.format(format, args)?;
    Ok(printer.out)
}

/// The default text of one value, `%v`.
pub(crate) fn text(value: &Value, budget: &Budget) -> Result<Vec<u8>, Exhausted> {
    if let Value::String(text) = value {
        return Ok(text.bytes().to_vec());
    }
    sprint(std::slice::from_ref(value), budget)
}

/// State of one printing.
struct Printer<'a> {
    out: Vec<u8>,
    flags: Flags,
    budget: &'a Budget,
    /// Bytes of `out` that are paid for.
    paid: usize,
    /// A wrong verb is being reported: methods are not used then.
    erroring: bool,
}

impl<'a> Printer<'a> {
    fn new(budget: &'a Budget) -> Self {
        Self { out: Vec::new(), flags: Flags::default(), budget, paid: 0, erroring: false }
    }

    /// Pays for one visited value and for what was written since the last.
    fn pay(&mut self) -> Result<(), Exhausted> {
        self.budget.step()?;
        self.budget.bytes(self.out.len() - self.paid)?;
        self.paid = self.out.len();
        Ok(())
    }

    fn str(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }
}
