//! Only plans that read are run (Q1).

use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, GroupingSet, LogicalPlan};

use crate::{Bound, QueryError};

/// What each column of a grouping set counts: the engine keeps some 10 KiB of it while it plans.
const GROUPED_PARTS: usize = 20;

/// Refuses a plan with a part that does more than read.
pub(crate) fn only_reads(plan: &LogicalPlan) -> Result<(), QueryError> {
    let mut refused = None;
    plan.apply_with_subqueries(|node| {
        refused = refusal(node);
        Ok(if refused.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    match refused {
        Some(what) => Err(QueryError::NotAllowed(what)),
        None => Ok(()),
    }
}

/// Refuses a plan of more operators and expressions: what plans make of one another may be far longer than their texts.
pub(crate) fn within(plan: &LogicalPlan, parts_max: usize) -> Result<(), QueryError> {
    let mut parts = 0_usize;
    plan.apply_with_subqueries(|node| {
        parts = parts.saturating_add(1).saturating_add(grouped(node));
        node.apply_expressions(|expr| {
            expr.apply(|_| {
                parts = parts.saturating_add(1);
                Ok(if parts > parts_max { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
            })
        })?;
        Ok(if parts > parts_max { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    if parts > parts_max { Err(Bound::Plan(parts_max).into()) } else { Ok(()) }
}

/// What the grouping sets of a node come to: a cube has as many as two to the power of its columns.
fn grouped(node: &LogicalPlan) -> usize {
    let LogicalPlan::Aggregate(aggregate) = node else { return 0 };
    let (mut sets, mut columns) = (1_usize, 0_usize);
    for expr in &aggregate.group_expr {
        let (own, of) = match expr {
            Expr::GroupingSet(GroupingSet::Cube(of)) => {
                (u32::try_from(of.len()).ok().and_then(|power| 2_usize.checked_pow(power)), of.len())
            }
            Expr::GroupingSet(GroupingSet::Rollup(of)) => (Some(of.len() + 1), of.len()),
            Expr::GroupingSet(GroupingSet::GroupingSets(each)) => {
                (Some(each.len()), each.iter().map(Vec::len).max().unwrap_or_default())
            }
            _one => (Some(1), 1),
        };
        sets = sets.saturating_mul(own.unwrap_or(usize::MAX));
        columns = columns.saturating_add(of);
    }
    if sets > 1 { sets.saturating_mul(columns).saturating_mul(GROUPED_PARTS) } else { 0 }
}

fn refusal(node: &LogicalPlan) -> Option<String> {
    match node {
        LogicalPlan::Dml(statement) => Some(statement.op.to_string()),
        LogicalPlan::Ddl(statement) => Some(statement.name().into()),
        LogicalPlan::Copy(_) => Some("COPY".into()),
        LogicalPlan::Statement(statement) => Some(statement.name().into()),
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Join(_)
        | LogicalPlan::Repartition(_)
        | LogicalPlan::Union(_)
        | LogicalPlan::TableScan(_)
        | LogicalPlan::EmptyRelation(_)
        | LogicalPlan::Subquery(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Values(_)
        | LogicalPlan::Explain(_)
        | LogicalPlan::Analyze(_)
        | LogicalPlan::Extension(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::DescribeTable(_)
        | LogicalPlan::Unnest(_)
        | LogicalPlan::RecursiveQuery(_) => None,
    }
}
