//! Pagination as the specification asks: without a `pageToken` everything is answered at once;
//! with one (the first is empty) pages of `pageSize`. A token names the last item sent, so items
//! that come or go between two pages neither repeat nor hide others.

use serde::Deserialize;
use tarn_openapi::page;
use utoipa::IntoParams;

use super::error::Failure;

/// Items of a page when `pageSize` is not given, and the most it may be.
const PAGE_SIZE_DEFAULT: usize = 1000;
const PAGE_SIZE_MAX: usize = 10_000;

/// The query of a listing.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Empty for the first page; absent for everything at once.
    pub(crate) page_token: Option<String>,
    /// Items per page.
    pub(crate) page_size: Option<String>,
}

/// What part of a listing to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Window {
    All,
    /// Items greater than `after`, at most `limit`.
    Page {
        after: Option<String>,
        limit: usize,
    },
}

impl PageQuery {
    pub(crate) fn window(&self) -> Result<Window, Failure> {
        let Some(token) = &self.page_token else { return Ok(Window::All) };
        let limit = match self.page_size.as_deref() {
            None | Some("") => PAGE_SIZE_DEFAULT,
            Some(text) => match text.parse::<usize>() {
                Ok(size) if size > 0 => size.min(PAGE_SIZE_MAX),
                Ok(_) | Err(_) => return Err(Failure::bad_request("pageSize must be a positive integer")),
            },
        };
        let after = match token.as_str() {
            "" => None,
            token => Some(page::decode(token).map_err(|error| Failure::bad_request(error.to_string()))?),
        };
        Ok(Window::Page { after, limit })
    }
}

impl Window {
    /// The item the window begins behind.
    pub(crate) fn after(&self) -> Option<&str> {
        match self {
            Window::All => None,
            Window::Page { after, .. } => after.as_deref(),
        }
    }

    /// The items of this window of an ordered listing, and the token that continues it.
    pub(crate) fn cut<T>(
        self,
        items: impl Iterator<Item = T>,
        key: impl Fn(&T) -> String,
    ) -> (Vec<T>, Option<String>) {
        let (after, limit) = match self {
            Window::All => return (items.collect(), None),
            Window::Page { after, limit } => (after, limit),
        };
        let mut items = items.skip_while(|item| after.as_ref().is_some_and(|after| key(item) <= *after));
        let page: Vec<T> = items.by_ref().take(limit).collect();
        let token = match (page.last(), items.next()) {
            (Some(last), Some(_more)) => Some(page::encode(&key(last))),
            (Some(_) | None, Some(_) | None) => None,
        };
        (page, token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(token: Option<&str>, size: Option<&str>) -> PageQuery {
        PageQuery { page_token: token.map(Into::into), page_size: size.map(Into::into) }
    }

    fn cut(query: &PageQuery, items: &[&str]) -> (Vec<String>, Option<String>) {
        query.window().unwrap().cut(items.iter().map(|item| item.to_string()), Clone::clone)
    }

    #[test]
    fn without_a_token_everything_is_answered_whatever_the_page_size() {
        assert_eq!(cut(&query(None, Some("1")), &["a", "b"]), (vec!["a".into(), "b".into()], None));
    }

    #[test]
    fn pages_follow_each_other_and_survive_a_removed_item() {
        let (page, token) = cut(&query(Some(""), Some("2")), &["a", "b", "c", "d"]);
        assert_eq!(page, ["a", "b"]);
        let (page, token) = cut(&query(token.as_deref(), Some("2")), &["a", "c", "d"]);
        assert_eq!((page, token), (vec!["c".into(), "d".into()], None));
    }

    #[test]
    fn a_foreign_token_and_a_size_that_is_no_number_are_refused() {
        assert!(query(Some("!!"), None).window().is_err());
        for size in ["0", "-1", "many"] {
            assert!(query(Some(""), Some(size)).window().is_err(), "{size}");
        }
    }
}
