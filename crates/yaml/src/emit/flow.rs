//! Flow collections of a tree.

use super::tree::{Printer, is_simple_key};
use super::{Place, STEP};
use crate::node::Node;

impl Printer {
    pub(super) fn flow_sequence(&mut self, node: &Node, items: &[Node]) {
        let parent = self.open_flow("[");
        let mut needs_comma = false;
        for item in items {
            self.announce_node(item, "");
            self.separate(needs_comma);
            needs_comma = !self.has_comment_behind();
            self.start(item, Place::Item);
            self.end_flow_entry();
            self.children(item, Place::Item);
        }
        self.announce_end(node, "");
        self.flow -= 1;
        self.indent = parent;
        if self.writer.at_line_start() {
            self.write_indent();
        }
        self.writer.indicator("]", false, false, false);
        self.write_line_and_foot();
    }

    pub(super) fn flow_mapping(&mut self, node: &Node, pairs: &[(Node, Node)]) {
        let parent = self.open_flow("{");
        let mut needs_comma = false;
        let mut tail = "";
        for (key, value) in pairs {
            self.announce_key(key, tail);
            tail = &key.comments.foot;
            self.separate(needs_comma);
            let simple = is_simple_key(key);
            if !simple {
                self.writer.indicator("?", true, false, false);
            }
            let place = if simple { Place::SimpleKey } else { Place::Key };
            self.start(key, place);
            self.children(key, place);
            self.announce_node(value, "");
            self.writer.indicator(":", !simple, false, false);
            needs_comma = !self.has_comment_behind();
            self.start(value, Place::Entry);
            self.end_flow_entry();
            self.children(value, Place::Entry);
        }
        self.announce_end(node, tail);
        let pending = &self.pending;
        let comments =
            !(pending.head.is_empty() && pending.foot.is_empty() && pending.tail.is_empty());
        if comments && needs_comma {
            self.writer.indicator(",", false, false, false);
        }
        self.write_head();
        self.flow -= 1;
        self.indent = parent;
        self.writer.indicator("}", false, false, false);
        self.write_line_and_foot();
    }

    /// Returns the indentation to go back to.
    fn open_flow(&mut self, indicator: &str) -> Option<usize> {
        self.writer.indicator(indicator, true, true, false);
        self.flow += 1;
        let indent = self.indent.map_or(STEP, |indent| indent + STEP);
        self.indent.replace(indent)
    }

    /// Whatever stands between two entries.
    fn separate(&mut self, needs_comma: bool) {
        if needs_comma {
            self.writer.indicator(",", false, false, false);
        }
        self.write_head();
        if self.writer.at_line_start() {
            self.write_indent();
        }
    }

    fn has_comment_behind(&self) -> bool {
        let pending = &self.pending;
        !(pending.line.is_empty() && pending.foot.is_empty() && pending.tail.is_empty())
    }

    /// The comma stands before a comment, not behind it.
    fn end_flow_entry(&mut self) {
        if self.has_comment_behind() {
            self.writer.indicator(",", false, false, false);
        }
        self.write_line_and_foot();
    }
}
