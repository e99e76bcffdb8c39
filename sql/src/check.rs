//! Only plans that read are run (Q1).

use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::logical_expr::LogicalPlan;

use crate::{Bound, QueryError};

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
    let mut parts = 0;
    plan.apply_with_subqueries(|node| {
        parts += 1;
        node.apply_expressions(|expr| {
            expr.apply(|_| {
                parts += 1;
                Ok(if parts > parts_max { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
            })
        })?;
        Ok(if parts > parts_max { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    if parts > parts_max { Err(Bound::Plan(parts_max).into()) } else { Ok(()) }
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
