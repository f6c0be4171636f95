//! The comments of a node.

/// Comments, each with its `#`; several lines are parted by line breaks, and an empty line stands
/// where there was one. What is there already is written as it is, what lacks a `#` gets one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comments {
    /// On the lines above.
    pub head: String,
    /// Behind it on its line.
    pub line: String,
    /// On the lines below, up to an empty one.
    pub foot: String,
}

impl Comments {
    /// Takes what stands above the last empty line of the head: it speaks of the whole document.
    pub(crate) fn split_document_head(&mut self) -> String {
        let head = &mut self.head;
        if let Some(above) = head.strip_suffix('\n').filter(|above| !above.is_empty()) {
            let above = above.to_owned();
            head.clear();
            return above;
        }
        // The first character of all is a `#`.
        let Some(at) = head.rfind("\n\n") else { return String::new() };
        let below = head[at + 2..].to_owned();
        head.truncate(at);
        std::mem::replace(head, below)
    }
}
