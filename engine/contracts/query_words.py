"""The SQL that a quality query may use, as the nodes into which it is parsed: functions of values, and plain clauses.

Left out, and so refused, is whatever reads or writes anything but the query's table, whatever builds large values out
of small ones, whatever gives another answer each time but the clock, and whatever a parser and a database read differently.
"""

from __future__ import annotations

from sqlglot import exp

_AGGREGATES = (
    exp.AnyValue, exp.ApproxDistinct, exp.ArgMax, exp.ArgMin, exp.Avg, exp.Corr, exp.Count, exp.CountIf, exp.CovarPop,
    exp.CovarSamp, exp.Kurtosis, exp.LogicalAnd, exp.LogicalOr, exp.Max, exp.Median, exp.Min, exp.Mode, exp.PercentileCont,
    exp.PercentileDisc, exp.Skewness, exp.Stddev, exp.StddevPop, exp.StddevSamp, exp.Sum, exp.Variance, exp.VariancePop,
)  # fmt: skip
_WINDOWS = (
    exp.DenseRank, exp.FirstValue, exp.Lag, exp.LastValue, exp.Lead, exp.Ntile, exp.PercentRank, exp.Rank, exp.RowNumber,
)  # fmt: skip
_NUMBERS = (
    exp.Abs, exp.Ceil, exp.Exp, exp.Floor, exp.Greatest, exp.IsInf, exp.IsNan, exp.Least, exp.Ln, exp.Log, exp.Pow,
    exp.Round, exp.Sign, exp.Sqrt, exp.Trunc,
)  # fmt: skip
_TEXTS = (
    exp.Ascii, exp.Concat, exp.ConcatWs, exp.Contains, exp.EndsWith, exp.Left, exp.Length, exp.Levenshtein, exp.Lower,
    exp.RegexpExtract, exp.RegexpFullMatch, exp.RegexpLike, exp.RegexpReplace, exp.Replace, exp.Right, exp.SplitPart,
    exp.StartsWith, exp.StrPosition, exp.Substring, exp.Trim, exp.Unicode, exp.Upper,
)  # fmt: skip
_MOMENTS = (
    exp.CurrentDate, exp.CurrentTimestamp, exp.DateAdd, exp.DateDiff, exp.DateFromParts, exp.DateTrunc, exp.Day,
    exp.DayOfWeek, exp.DayOfWeekIso, exp.DayOfYear, exp.Extract, exp.Hour, exp.LastDay, exp.Minute, exp.Month, exp.Quarter,
    exp.Second, exp.TimestampTrunc, exp.TimeToUnix, exp.Week, exp.Year,
)  # fmt: skip
_VALUES = (exp.Case, exp.Cast, exp.Coalesce, exp.Exists, exp.If, exp.Nullif, exp.TryCast)

FUNCTIONS: frozenset[type[exp.Func]] = frozenset((*_AGGREGATES, *_WINDOWS, *_NUMBERS, *_TEXTS, *_MOMENTS, *_VALUES))
COUNTING: tuple[type[exp.Func], ...] = (exp.ApproxDistinct, exp.Count, exp.CountIf, exp.LogicalAnd, exp.LogicalOr)
"""Functions whose result is a number of rows or values, or a truth about all of them."""
NAMED = frozenset({"date_part", "date_sub", "entropy", "isfinite", "now", "prefix", "product", "strlen", "suffix"})
"""Functions of DuckDB that the parser knows by name only."""

CLAUSES: frozenset[type[exp.Expression]] = frozenset(
    (
        exp.Alias, exp.All, exp.And, exp.Any, exp.Between, exp.Boolean, exp.Column, exp.CTE, exp.DataType, exp.DataTypeParam,
        exp.Distinct, exp.Except, exp.Filter, exp.From, exp.Group, exp.Having, exp.Identifier, exp.IgnoreNulls, exp.Intersect,
        exp.Interval, exp.Join, exp.Limit, exp.Literal, exp.Null, exp.Offset, exp.Or, exp.Order, exp.Ordered, exp.Paren,
        exp.Qualify, exp.Select, exp.Star, exp.Subquery, exp.TableAlias, exp.Tuple, exp.Union, exp.Var, exp.Where, exp.Window,
        exp.WindowSpec, exp.With, exp.WithinGroup,
        exp.Add, exp.DPipe, exp.Div, exp.EQ, exp.GT, exp.GTE, exp.ILike, exp.In, exp.IntDiv, exp.Is, exp.Like, exp.LT, exp.LTE,
        exp.Mod, exp.Mul, exp.NEQ, exp.Neg, exp.Not, exp.NullSafeEQ, exp.NullSafeNEQ, exp.SimilarTo, exp.Sub,
    )
)  # fmt: skip
