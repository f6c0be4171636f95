//! The graph of stages: what feeds what.

use std::collections::{BTreeMap, BTreeSet};

/// A stage and what feeds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Name.
    pub stage: String,
    /// Name of its pipeline.
    pub pipeline: String,
    /// Names of the stages that feed it.
    pub from: Vec<String>,
}

/// What is wrong with the graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// Stages that feed each other, in their order, the first of them once more at the end.
    Cycle(Vec<String>),
    /// A stage (first) that is fed by one that does not exist.
    Unknown(String, String),
    /// A stage (first) that is fed by a stage (second) of another pipeline (third).
    Foreign(String, String, String),
}

impl Problem {
    /// The stage that the problem is told of.
    pub fn concerns(&self, stage: &str) -> bool {
        match self {
            Self::Cycle(stages) => stages.iter().any(|it| it == stage),
            Self::Unknown(it, _) | Self::Foreign(it, ..) => it == stage,
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cycle(stages) => {
                write!(f, "stages feed each other in a circle: {}", stages.join(" -> "))
            }
            Self::Unknown(stage, from) => {
                write!(f, "stage '{stage}' comes from stage '{from}', which does not exist")
            }
            Self::Foreign(stage, from, pipeline) => write!(
                f,
                "stage '{stage}' comes from stage '{from}' of pipeline '{pipeline}'; a stage has one \
                 pipeline: import the other one by a component with stageRef {{name: {from}}}, or \
                 make two stages"
            ),
        }
    }
}

/// Everything that is wrong with the stages of a pipeline; `all` are the stages of the namespace.
pub fn problems(pipeline: &str, all: &[Node]) -> Vec<Problem> {
    let by_name: BTreeMap<&str, &Node> = all.iter().map(|it| (it.stage.as_str(), it)).collect();
    let mut problems = Vec::new();
    for node in all.iter().filter(|it| it.pipeline == pipeline) {
        for from in &node.from {
            match by_name.get(from.as_str()) {
                None => problems.push(Problem::Unknown(node.stage.clone(), from.clone())),
                Some(other) if other.pipeline != pipeline => problems.push(Problem::Foreign(
                    node.stage.clone(),
                    from.clone(),
                    other.pipeline.clone(),
                )),
                Some(_) => {}
            }
        }
    }
    problems.extend(cycles(pipeline, &by_name));
    problems
}

/// One circle for each stage that is in one and in none that was found before.
fn cycles(pipeline: &str, nodes: &BTreeMap<&str, &Node>) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for start in nodes.values().filter(|it| it.pipeline == pipeline) {
        // Depth first without recursion: the stages on the way, and which edge comes next.
        let mut way: Vec<(&str, usize)> = vec![(&start.stage, 0)];
        while let Some((stage, edge)) = way.last_mut() {
            let (stage, next) = (*stage, *edge);
            *edge += 1;
            let from = nodes.get(stage).and_then(|node| node.from.get(next));
            let Some(from) = from.filter(|_| !done.contains(stage)) else {
                done.insert(stage);
                way.pop();
                continue;
            };
            if let Some(at) = way.iter().position(|(it, _)| it == from) {
                // From the one that is fed to the one that feeds it is backwards.
                let mut circle: Vec<String> =
                    way[at..].iter().rev().map(|(it, _)| (*it).to_owned()).collect();
                circle.insert(0, from.clone());
                found.push(Problem::Cycle(circle));
            } else if !done.contains(from.as_str()) {
                way.push((from, 0));
            }
        }
    }
    found
}
