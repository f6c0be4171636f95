//! The tokens of a YAML text, as tree-sitter sees them.

use std::ops::{ControlFlow, Range};

use tree_sitter::{Node, ParseOptions, Parser, Tree};

use crate::Outcome;
use crate::screen::Chunk;

/// Calls of the progress callback (each stands for about a hundred steps of the parser) that a
/// text may take, per byte and at least. Sane files take a small fraction of one call per byte.
const CALLS_PER_BYTE: usize = 2;
const MIN_CALLS: usize = 10_000;

/// The most lines that a document with markers may have: tree-sitter-yaml counts them with 16 bits.
const MAX_LINES: usize = 32_768;

/// The tokens that matter here, in the order of the text.
pub(crate) struct Layout {
    tokens: Vec<Token>,
}

/// One token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) bytes: Range<usize>,
    /// The line it starts on, from 1.
    pub(crate) line: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Comment,
    /// Plain or quoted.
    Scalar,
    /// `|` or `>`.
    Block,
}

impl Layout {
    /// Parses the documents that matter, one at a time.
    pub(crate) fn parse(
        chunks: &[Chunk<'_>],
        matters: &dyn Fn(&str) -> bool,
    ) -> Result<Self, Outcome> {
        let mut tokens = Vec::new();
        for chunk in chunks.iter().filter(|chunk| matters(chunk.text)) {
            let first = chunk.line;
            if memchr::memchr_iter(b'\n', chunk.text.as_bytes()).count() > MAX_LINES {
                let why = format!("line {first}: the document has more than {MAX_LINES} lines");
                return Err(Outcome::Unparsable(why));
            }
            let tree = parse(chunk.text).map_err(Outcome::Unparsable)?;
            if let Some(row) = error_row(&tree) {
                return Err(Outcome::Disagree(format!("line {} does not parse", first + row)));
            }
            tokens.extend(preorder(&tree).filter_map(|node| {
                let bytes = chunk.byte + node.start_byte()..chunk.byte + node.end_byte();
                let line = first + node.start_position().row;
                kind(&node).map(|kind| Token { kind, bytes, line })
            }));
        }
        Ok(Self { tokens })
    }

    /// All tokens of a kind.
    pub(crate) fn all(&self, kind: Kind) -> impl Iterator<Item = &Token> {
        self.tokens.iter().filter(move |token| token.kind == kind)
    }

    /// The scalar or block that starts at `byte`.
    pub(crate) fn scalar_at(&self, byte: usize) -> Option<&Token> {
        let at = self.tokens.partition_point(|token| token.bytes.start < byte);
        let token = self.tokens.get(at).filter(|token| token.bytes.start == byte)?;
        matches!(token.kind, Kind::Scalar | Kind::Block).then_some(token)
    }
}

fn parse(text: &str) -> Result<Tree, String> {
    let mut parser = Parser::new();
    parser
        .set_language(&tree_sitter_yaml::LANGUAGE.into())
        .map_err(|_| "the YAML grammar does not fit the parser".to_owned())?;
    let mut calls = (text.len() * CALLS_PER_BYTE).max(MIN_CALLS);
    let mut progress = |_: &tree_sitter::ParseState| match calls.checked_sub(1) {
        Some(rest) => {
            calls = rest;
            ControlFlow::Continue(())
        }
        None => ControlFlow::Break(()),
    };
    let options = ParseOptions::new().progress_callback(&mut progress);
    let mut read = |at: usize, _| text.as_bytes().get(at..).unwrap_or_default();
    let tree = parser.parse_with_options(&mut read, None, Some(options));
    tree.ok_or_else(|| "parsing takes too long".to_owned())
}

/// The row of the first error.
fn error_row(tree: &Tree) -> Option<usize> {
    let root = tree.root_node();
    if !root.has_error() {
        return None;
    }
    let found = preorder(tree).find(|node| node.is_error() || node.is_missing());
    Some(found.unwrap_or(root).start_position().row)
}

fn kind(node: &Node<'_>) -> Option<Kind> {
    Some(match node.kind() {
        "comment" => Kind::Comment,
        "plain_scalar" | "single_quote_scalar" | "double_quote_scalar" => Kind::Scalar,
        "block_scalar" => Kind::Block,
        _ => return None,
    })
}

/// All nodes, parents first, without recursion.
fn preorder(tree: &Tree) -> impl Iterator<Item = Node<'_>> {
    let mut cursor = tree.walk();
    let mut next = Some(cursor.node());
    std::iter::from_fn(move || {
        let node = next.take()?;
        let mut moved = !is_whole(&node) && cursor.goto_first_child();
        while !moved {
            moved = cursor.goto_next_sibling();
            if !moved && !cursor.goto_parent() {
                return Some(node);
            }
        }
        next = Some(cursor.node());
        Some(node)
    })
}

/// Whether what is inside of a node is of no interest here.
fn is_whole(node: &Node<'_>) -> bool {
    kind(node) == Some(Kind::Scalar)
}
