//! `||` as a function: the operator would make its values unasked (Q3).

use std::any::Any;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{DFSchema, Result, plan_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::physical_expr::PhysicalExpr as _;
use datafusion::physical_expr::expressions::{BinaryExpr as Computed, Column};
use datafusion::sql::sqlparser::ast::BinaryOperator;

/// What plans are made of in place of `||`.
pub(super) const NAME: &str = "string_concat";

/// Plans `||` as a call of the function it holds.
#[derive(Debug)]
pub(super) struct AsFunction(pub(super) Arc<ScalarUDF>);

impl ExprPlanner for AsFunction {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        _schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        if expr.op != BinaryOperator::StringConcat {
            return Ok(PlannerResult::Original(expr));
        }
        let RawBinaryExpr { left, right, .. } = expr;
        let named = |left: Box<Expr>, right: Box<Expr>| {
            Expr::BinaryExpr(BinaryExpr::new(left, Operator::StringConcat, right)).schema_name().to_string()
        };
        let bare = |expr: &Expr| Box::new(expr.clone().unalias());
        let name = named(bare(&left), bare(&right));
        let call = ScalarFunction::new_udf(self.0.clone(), vec![left, right]);
        // A column that is given no name has the one that the operator would give it.
        Ok(PlannerResult::Planned(Expr::ScalarFunction(call).alias(name)))
    }
}

/// The operator as a function of two values: null if one of them is.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Concat {
    signature: Signature,
}

impl Concat {
    pub(super) fn new() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

/// The types that the operator computes with, and the one it makes.
fn types(of: &[DataType]) -> Result<(Vec<DataType>, DataType)> {
    use datafusion::logical_expr::binary::BinaryTypeCoercer;
    let [left, right] = of else { return plan_err!("|| has two sides") };
    let types = BinaryTypeCoercer::new(left, &Operator::StringConcat, right);
    let (left, right) = types.get_input_types()?;
    Ok((vec![left, right], types.get_result_type()?))
}

impl ScalarUDFImpl for Concat {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(types(arg_types)?.0)
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        Ok(types(arg_types)?.1)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let sides = args.args.iter().map(|arg| arg.to_array(args.number_rows)).collect::<Result<Vec<_>>>()?;
        let field = |(at, side): (usize, &Arc<dyn datafusion::arrow::array::Array>)| {
            Field::new(at.to_string(), side.data_type().clone(), true)
        };
        let schema = Schema::new(sides.iter().enumerate().map(field).collect::<Vec<_>>());
        let batch = RecordBatch::try_new(Arc::new(schema), sides)?;
        let side = |at: usize| Arc::new(Column::new(&at.to_string(), at));
        Computed::new(side(0), Operator::StringConcat, side(1)).evaluate(&batch)
    }
}
