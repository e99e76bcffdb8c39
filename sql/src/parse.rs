//! From text to one statement that only reads (Q1).
//!
//! A table as it was is a name with an `@`: `"orders@main"`. What SQL has for it (`VERSION AS OF`, `TIMESTAMP AS OF`, each
//! also with `FOR` or `FOR SYSTEM_` before) becomes such a name while the text is still words: the parser knows some of
//! these forms, and the engine none.

use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, TokenizerError, Word};

use crate::{Bound, QueryError, Settings};

/// What separates a table's name from the version asked for.
pub(crate) const VERSION: char = '@';

/// Reads one statement.
pub(crate) fn parse(sql: &str, settings: &Settings) -> Result<Statement, QueryError> {
    if sql.len() > settings.text_bytes_max {
        return Err(Bound::Text { bytes: sql.len(), max: settings.text_bytes_max }.into());
    }
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location();
    let tokens = tokens.map_err(|error: TokenizerError| QueryError::Syntax(error.to_string()))?;
    let tokens: Vec<TokenWithSpan> =
        tokens.into_iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).collect();
    if tokens.len() > settings.tokens_max {
        return Err(Bound::Tokens(settings.tokens_max).into());
    }
    if tokens.iter().filter(|token| is_operator(&token.token)).count() > settings.operators_max {
        return Err(Bound::Operators(settings.operators_max).into());
    }
    let mut parser = DFParserBuilder::new(versions_as_names(tokens))
        .with_dialect(&GenericDialect {})
        .with_recursion_limit(settings.depth_max)
        .build()?;
    let mut statements = parser.parse_statements().map_err(|error| match QueryError::from(error) {
        QueryError::Syntax(message) if message.contains("nests too deep") => {
            Bound::Depth(settings.depth_max).into()
        }
        other => other,
    })?;
    let Some(statement) = statements.pop_front() else {
        return Err(QueryError::Syntax("there is no statement".into()));
    };
    if !statements.is_empty() {
        return Err(QueryError::NotAllowed("a second statement".into()));
    }
    allow(&statement)?;
    Ok(statement)
}

/// What makes a tree of expressions deeper.
fn is_operator(token: &Token) -> bool {
    match token {
        Token::Word(word) => {
            matches!(word.keyword, Keyword::AND | Keyword::OR | Keyword::NOT | Keyword::UNION)
        }
        Token::Plus
        | Token::Minus
        | Token::Mul
        | Token::Div
        | Token::Mod
        | Token::StringConcat
        | Token::Ampersand
        | Token::Pipe
        | Token::Caret
        | Token::DoubleColon
        | Token::LBracket => true,
        _other => false,
    }
}

fn allow(statement: &Statement) -> Result<(), QueryError> {
    let refused = match statement {
        Statement::Statement(statement) => match statement.as_ref() {
            SqlStatement::Query(_)
            | SqlStatement::ExplainTable { .. }
            | SqlStatement::ShowTables { .. }
            | SqlStatement::ShowColumns { .. }
            | SqlStatement::ShowFunctions { .. }
            | SqlStatement::ShowVariable { .. } => return Ok(()),
            other => other.to_string().split(' ').next().unwrap_or_default().to_owned(),
        },
        Statement::Explain(explain) => return allow(&explain.statement),
        Statement::CreateExternalTable(_) => "CREATE EXTERNAL TABLE".into(),
        Statement::CopyTo(_) => "COPY".into(),
        Statement::Reset(_) => "RESET".into(),
    };
    Err(QueryError::NotAllowed(refused))
}

/// `orders VERSION AS OF 5` as `"orders@5" AS orders`.
fn versions_as_names(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let found = version(&tokens[at..]).zip(out.last().and_then(name));
        let Some(((version, length), name)) = found else {
            out.push(tokens[at].clone());
            at += 1;
            continue;
        };
        at += length;
        let span = out.last().map(|last| last.span).unwrap_or(tokens[at - 1].span);
        let versioned = Token::make_word(&format!("{}{VERSION}{version}", folded(&name)), Some('"'));
        out.pop();
        out.push(TokenWithSpan::new(versioned, span));
        if !tokens.get(at).is_some_and(is_alias) {
            out.push(TokenWithSpan::new(Token::make_keyword("AS"), span));
            out.push(TokenWithSpan::new(Token::Word(name), span));
        }
    }
    out
}

fn name(token: &TokenWithSpan) -> Option<Word> {
    match &token.token {
        Token::Word(word) => Some(word.clone()),
        _sign => None,
    }
}

/// As the engine reads a name: in lower case unless it is quoted.
fn folded(word: &Word) -> String {
    if word.quote_style.is_some() { word.value.clone() } else { word.value.to_ascii_lowercase() }
}

fn is_alias(token: &TokenWithSpan) -> bool {
    matches!(&token.token, Token::Word(word)
        if word.keyword == Keyword::AS || word.keyword == Keyword::NoKeyword)
}

/// The version that tokens begin with, and how many tell it.
fn version(tokens: &[TokenWithSpan]) -> Option<(String, usize)> {
    let word = |at: usize| match tokens.get(at).map(|token| &token.token) {
        Some(Token::Word(word)) if word.quote_style.is_none() => word.value.to_ascii_uppercase(),
        _other => String::new(),
    };
    let skip = usize::from(word(0) == "FOR");
    let known = match word(skip).as_str() {
        "VERSION" | "TIMESTAMP" => true,
        "SYSTEM_VERSION" | "SYSTEM_TIME" => skip == 1,
        _other => false,
    };
    if !known || word(skip + 1) != "AS" || word(skip + 2) != "OF" {
        return None;
    }
    let mut at = skip + 3;
    // The value may be a typed literal.
    if matches!(word(at).as_str(), "TIMESTAMP" | "DATE") {
        at += 1;
    }
    let value = match &tokens.get(at)?.token {
        Token::SingleQuotedString(text) => text.clone(),
        Token::Number(number, _) => number.clone(),
        _other => return None,
    };
    Some((value, at + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(sql: &str) -> Result<String, QueryError> {
        parse(sql, &Settings::default()).map(|statement| statement.to_string())
    }

    #[test]
    fn one_statement_that_reads_is_read() {
        for sql in [
            "SELECT 1",
            "WITH t AS (SELECT 1 AS a) SELECT a FROM t",
            "VALUES (1), (2)",
            "EXPLAIN SELECT 1",
            "EXPLAIN ANALYZE VERBOSE SELECT 1",
            "DESCRIBE orders",
            "SHOW TABLES",
            "SHOW COLUMNS FROM orders",
            "SELECT 1;",
        ] {
            assert!(parsed(sql).is_ok(), "{sql}");
        }
    }

    #[test]
    fn what_does_more_than_read_is_refused_with_what_is_allowed() {
        for sql in [
            "INSERT INTO t VALUES (1)",
            "DELETE FROM t",
            "UPDATE t SET a = 1",
            "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE",
            "CREATE TABLE t AS SELECT 1",
            "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '/etc'",
            "CREATE VIEW v AS SELECT 1",
            "DROP TABLE t",
            "TRUNCATE TABLE t",
            "COPY t TO 'x.parquet'",
            "COPY (SELECT 1) TO 's3://bucket/x'",
            "SET datafusion.execution.batch_size = 1",
            "RESET datafusion.execution.batch_size",
            "PREPARE p AS SELECT 1",
            "EXECUTE p",
            "BEGIN",
            "COMMIT",
            "CALL f()",
            "GRANT SELECT ON t TO u",
            "EXPLAIN INSERT INTO t VALUES (1)",
            "EXPLAIN COPY t TO 'x'",
            "SELECT 1; SELECT 2",
        ] {
            let Err(error) = parsed(sql) else { panic!("{sql}") };
            assert!(matches!(error, QueryError::NotAllowed(_)), "{sql}: {error}");
            assert!(error.to_string().contains("only SELECT"), "{error}");
        }
    }

    #[test]
    fn an_error_tells_line_and_column() {
        let error = parsed("SELECT *\nFROM orders\nWHERE ,").unwrap_err();
        assert!(error.to_string().contains("Line: 3, Column: 7"), "{error}");
        let error = parsed("SELECT 'open").unwrap_err();
        assert!(error.to_string().contains("Line: 1, Column: 8"), "{error}");
        assert!(matches!(parsed(" ; "), Err(QueryError::Syntax(_))));
    }

    #[test]
    fn long_and_deep_queries_are_refused() {
        let long = format!("SELECT '{}'", "x".repeat(300 << 10));
        assert!(matches!(parsed(&long), Err(QueryError::Limit(Bound::Text { .. }))));
        let wide = format!("SELECT 1{}", ", 1".repeat(20_000));
        assert!(matches!(parsed(&wide), Err(QueryError::Limit(Bound::Tokens(_)))));
        let chain = format!("SELECT 1{}", "+1".repeat(2_000));
        assert!(matches!(parsed(&chain), Err(QueryError::Limit(Bound::Operators(_)))));
        let deep = format!("SELECT {}1{}", "(".repeat(200), ")".repeat(200));
        let refused = parsed(&deep);
        assert!(matches!(refused, Err(QueryError::Limit(Bound::Depth(_)))), "{refused:?}");
    }

    #[test]
    fn a_version_becomes_part_of_the_name() {
        for (sql, read) in [
            ("SELECT * FROM ns.Orders VERSION AS OF 5", r#"SELECT * FROM ns."orders@5" AS Orders"#),
            ("SELECT * FROM orders FOR VERSION AS OF 'main' o", r#"SELECT * FROM "orders@main" o"#),
            (
                "SELECT o.a FROM orders FOR SYSTEM_TIME AS OF '2026-01-01' AS o JOIN p ON true",
                r#"SELECT o.a FROM "orders@2026-01-01" AS o JOIN p ON true"#,
            ),
            (
                "SELECT * FROM orders TIMESTAMP AS OF TIMESTAMP '2026-01-01 10:00:00', p",
                r#"SELECT * FROM "orders@2026-01-01 10:00:00" AS orders, p"#,
            ),
            (
                "SELECT * FROM orders FOR SYSTEM_VERSION AS OF 7 WHERE a = 1",
                r#"SELECT * FROM "orders@7" AS orders WHERE a = 1"#,
            ),
            ("SELECT version FROM t", "SELECT version FROM t"),
            ("SELECT * FROM \"orders@main\"", "SELECT * FROM \"orders@main\""),
        ] {
            assert_eq!(parsed(sql).unwrap(), read);
        }
    }
}
