//! Reads policies from AWS's JSON. What is not known is an error, with its place: a policy that is read means all of
//! what it says.

use tarn_openapi::access::Action;

use super::actions::ActionSet;
use super::condition::Condition;
use super::node::Node;
use super::pattern::{Pattern, Variables, Wildcards};

/// The longest policy, in bytes.
pub(crate) const DOCUMENT_BYTES_MAX: usize = 20 * 1024;
/// The most statements of a policy.
const STATEMENTS_MAX: usize = 100;
/// The most texts of one list: actions, resources, values.
const LIST_MAX: usize = 500;
/// The most conditions of a statement.
const CONDITIONS_MAX: usize = 100;
/// The longest `Id` or `Sid`, in bytes.
const NAME_BYTES_MAX: usize = 256;

/// A policy, ready to decide with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Policy {
    pub(super) statements: Vec<Statement>,
}

/// A statement.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Statement {
    pub(super) sid: Option<String>,
    pub(super) effect: Effect,
    pub(super) actions: ActionSet,
    pub(super) resources: Resources,
    pub(super) conditions: Vec<Condition>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Allow,
    Deny,
}

/// What a statement is about.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Resources {
    /// Any of these.
    Only(Vec<ResourcePattern>),
    /// None of these.
    AllBut(Vec<ResourcePattern>),
    /// Everything: administration names no resource.
    Unnamed,
}

/// The resources one ARN means.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ResourcePattern {
    /// `*`
    Everything,
    /// Behind `arn:aws:s3:::`.
    S3(Pattern),
    /// Behind `arn:aws:s3tables:::`.
    Tables(Pattern),
}

/// Why a text is no policy.
#[derive(Debug, thiserror::Error)]
pub enum InvalidPolicy {
    /// It is too long.
    #[error("a policy has at most {DOCUMENT_BYTES_MAX} bytes")]
    TooLong,
    /// It is not JSON, or names a key twice. The message tells line and column.
    #[error("the policy is not JSON: {0}")]
    Json(#[source] serde_json::Error),
    /// It is JSON and no policy.
    #[error("{at}: {problem}")]
    Meaning {
        /// Where, such as `Statement[0].Action`.
        at: String,
        /// What is wrong.
        problem: String,
    },
}

impl Policy {
    /// Reads a policy.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidPolicy> {
        if text.len() > DOCUMENT_BYTES_MAX {
            return Err(InvalidPolicy::TooLong);
        }
        let document: Node = serde_json::from_str(text).map_err(InvalidPolicy::Json)?;
        read_policy(document).map_err(|(at, problem)| InvalidPolicy::Meaning { at, problem })
    }
}

/// Where and what.
type Problem = (String, String);

fn read_policy(document: Node) -> Result<Policy, Problem> {
    let mut variables = Variables::Refused;
    let mut statements = None;
    for (key, value) in map("policy", document)? {
        match key.as_str() {
            "Version" => match text(&key, &value)? {
                "2012-10-17" => variables = Variables::Meant,
                "2008-10-17" => {}
                other => return Err((key, format!("there is no version {other:?}"))),
            },
            "Id" => drop(name(&key, &value)?),
            "Statement" => statements = Some(value),
            _ => return Err((key, "policies have no such field".into())),
        }
    }
    let statements = match statements {
        Some(Node::List(list)) => list,
        Some(one @ Node::Map(_)) => vec![one],
        Some(other) => return Err(wrong("Statement", &other, "a statement or a list of them")),
        None => return Err(("policy".into(), "it has no Statement".into())),
    };
    if statements.is_empty() || statements.len() > STATEMENTS_MAX {
        return Err(("Statement".into(), format!("a policy has 1 to {STATEMENTS_MAX} statements")));
    }
    let mut policy = Policy { statements: Vec::with_capacity(statements.len()) };
    for (index, statement) in statements.into_iter().enumerate() {
        let at = format!("Statement[{index}]");
        let statement = read_statement(&at, statement, variables)?;
        let same = |other: &Statement| other.sid.is_some() && other.sid == statement.sid;
        if policy.statements.iter().any(same) {
            return Err((format!("{at}.Sid"), "another statement has this Sid".into()));
        }
        policy.statements.push(statement);
    }
    Ok(policy)
}

fn read_statement(at: &str, statement: Node, variables: Variables) -> Result<Statement, Problem> {
    let (mut sid, mut effect, mut actions, mut resources) = (None, None, None, None);
    let mut conditions = Vec::new();
    for (key, value) in map(at, statement)? {
        let at = format!("{at}.{key}");
        match key.as_str() {
            "Sid" => sid = Some(name(&at, &value)?),
            "Effect" => {
                effect = Some(match text(&at, &value)? {
                    "Allow" => Effect::Allow,
                    "Deny" => Effect::Deny,
                    other => return Err((at, format!("{other:?} is neither Allow nor Deny"))),
                });
            }
            "Action" | "NotAction" if actions.is_some() => {
                return Err((at, "a statement has Action or NotAction, not both".into()));
            }
            "Action" => actions = Some(read_actions(&at, value)?),
            "NotAction" => actions = Some(read_actions(&at, value)?.inverted()),
            "Resource" | "NotResource" if resources.is_some() => {
                return Err((at, "a statement has Resource or NotResource, not both".into()));
            }
            "Resource" => resources = Some(Resources::Only(read_resources(&at, value, variables)?)),
            "NotResource" => resources = Some(Resources::AllBut(read_resources(&at, value, variables)?)),
            "Condition" => conditions = read_conditions(&at, value, variables)?,
            "Principal" | "NotPrincipal" => {
                return Err((at, "only policies of buckets name principals".into()));
            }
            _ => return Err((at, "statements have no such field".into())),
        }
    }
    let effect = effect.ok_or_else(|| (at.to_owned(), "it has no Effect".to_owned()))?;
    let actions = actions.ok_or_else(|| (at.to_owned(), "it has neither Action nor NotAction".to_owned()))?;
    let resources = match resources {
        Some(resources) => resources,
        None if actions.needs_resource() => {
            return Err((at.to_owned(), "it has neither Resource nor NotResource".to_owned()));
        }
        None => Resources::Unnamed,
    };
    Ok(Statement { sid, effect, actions, resources, conditions })
}

fn read_actions(at: &str, value: Node) -> Result<ActionSet, Problem> {
    let mut set = ActionSet::default();
    for text in texts(at, value)? {
        set.add(&text).map_err(|problem| (at.to_owned(), problem))?;
    }
    Ok(set)
}

fn read_resources(at: &str, value: Node, variables: Variables) -> Result<Vec<ResourcePattern>, Problem> {
    let read = |text: String| {
        if text == "*" {
            return Ok(ResourcePattern::Everything);
        }
        let pattern = |rest| {
            Pattern::parse(rest, Wildcards::Meant, variables).map_err(|problem| (at.to_owned(), problem))
        };
        if let Some(rest) = text.strip_prefix("arn:aws:s3:::") {
            return Ok(ResourcePattern::S3(pattern(rest)?));
        }
        if let Some(rest) = text.strip_prefix("arn:aws:s3tables:::") {
            if names_by_uuid(rest) {
                let problem =
                    format!("{text:?} names a table or view by UUID; name it by namespace and name");
                return Err((at.to_owned(), problem));
            }
            return Ok(ResourcePattern::Tables(pattern(rest)?));
        }
        let problem =
            format!("{text:?} is neither * nor an ARN that begins arn:aws:s3::: or arn:aws:s3tables:::");
        Err((at.to_owned(), problem))
    };
    texts(at, value)?.into_iter().map(read).collect()
}

/// `.../table/<uuid>`: UUIDs are not looked up, and a deny that never applies is worse than an error.
fn names_by_uuid(resource: &str) -> bool {
    let name = ["/table/", "/view/"].iter().find_map(|kind| resource.split_once(kind)).map(|(_, name)| name);
    name.is_some_and(|name| !name.contains(['/', '*', '?', '$']))
}

fn read_conditions(at: &str, value: Node, variables: Variables) -> Result<Vec<Condition>, Problem> {
    let mut conditions = Vec::new();
    for (operator, keys) in map(at, value)? {
        let at = format!("{at}.{operator}");
        for (key, values) in map(&at, keys)? {
            let at = format!("{at}.{key}");
            let values = scalars(&at, values)?;
            let condition = Condition::parse(&operator, &key, &values, variables);
            conditions.push(condition.map_err(|problem| (at.clone(), problem))?);
            if conditions.len() > CONDITIONS_MAX {
                return Err((at, format!("a statement has at most {CONDITIONS_MAX} conditions")));
            }
        }
    }
    Ok(conditions)
}

fn wrong(at: &str, found: &Node, wanted: &str) -> Problem {
    (at.to_owned(), format!("it is {} and must be {wanted}", found.kind()))
}

fn map(at: &str, node: Node) -> Result<Vec<(String, Node)>, Problem> {
    match node {
        Node::Map(entries) => Ok(entries),
        other => Err(wrong(at, &other, "an object")),
    }
}

fn text<'n>(at: &str, node: &'n Node) -> Result<&'n str, Problem> {
    match node {
        Node::Text(text) => Ok(text),
        other => Err(wrong(at, other, "a text")),
    }
}

fn name(at: &str, node: &Node) -> Result<String, Problem> {
    let text = text(at, node)?;
    if text.len() > NAME_BYTES_MAX || text.chars().any(char::is_control) {
        return Err((
            at.to_owned(),
            format!("it has at most {NAME_BYTES_MAX} bytes and no control characters"),
        ));
    }
    Ok(text.to_owned())
}

/// A text or a list of texts, not empty.
fn texts(at: &str, node: Node) -> Result<Vec<String>, Problem> {
    list(at, node, |node| match node {
        Node::Text(text) => Ok(text),
        other => Err(wrong(at, &other, "a text or a list of texts")),
    })
}

/// The same, also of numbers and booleans: `"Bool": {"aws:SecureTransport": true}`.
fn scalars(at: &str, node: Node) -> Result<Vec<String>, Problem> {
    list(at, node, |node| match node {
        Node::Text(text) | Node::Number(text) => Ok(text),
        Node::Bool(value) => Ok(value.to_string()),
        other @ (Node::Null | Node::List(_) | Node::Map(_)) => {
            Err(wrong(at, &other, "a value or a list of values"))
        }
    })
}

fn list(
    at: &str,
    node: Node,
    read: impl Fn(Node) -> Result<String, Problem>,
) -> Result<Vec<String>, Problem> {
    let nodes = match node {
        Node::List(nodes) => nodes,
        one => vec![one],
    };
    if nodes.is_empty() || nodes.len() > LIST_MAX {
        return Err((at.to_owned(), format!("a list has 1 to {LIST_MAX} entries")));
    }
    nodes.into_iter().map(read).collect()
}

impl Statement {
    /// Whether it is about an action at all.
    pub(super) fn names(&self, action: Action) -> bool {
        self.actions.has(action)
    }
}
