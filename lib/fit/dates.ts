/** Dates as decimal years: the year plus the part of it that has passed. */

const pattern =
  /^([+-]?\d{4,6})[-/](\d{1,2})(?:[-/](\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?(?: ?(Z|UTC|[+-]\d{2}(?::?\d{2})?))?)?)?$/i;

const daysBefore = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

function isLeap(year: number): boolean {
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
}

function daysIn(year: number, month: number): number {
  return month === 2 ? (isLeap(year) ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31;
}

/**
 * `2024-07-02`, `2024-07`, `2024/7/2` or `2024-07-02T12:30:00Z` as a decimal year, or NaN when it is no
 * date: days and times count as parts of a year of 365 or 366 days, a month stands for its first day,
 * times with an offset are taken to UTC.
 */
export function decimalYear(text: string): number {
  const found = pattern.exec(text);
  if (found === null) return Number.NaN;
  const [, y, mo, d, h, mi, s, zone] = found;
  const year = Number(y);
  const month = Number(mo);
  const day = d === undefined ? 1 : Number(d);
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return Number.NaN;
  const [hour, minute, second] = [Number(h ?? 0), Number(mi ?? 0), Number(s ?? 0)];
  if (hour > 24 || minute > 59 || second >= 61) return Number.NaN;
  if (hour === 24 && (minute > 0 || second > 0)) return Number.NaN;
  const days =
    daysBefore[month - 1]! +
    (month > 2 && isLeap(year) ? 1 : 0) +
    (day - 1) +
    (hour * 3600 + minute * 60 + second - offsetSeconds(zone)) / 86400;
  return year + days / (isLeap(year) ? 366 : 365);
}

/** NaN for an offset that there is nowhere. */
function offsetSeconds(zone: string | undefined): number {
  if (zone === undefined || !/^[+-]/.test(zone)) return 0;
  const sign = zone.startsWith("-") ? -1 : 1;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(3).replace(":", "")); // 0 where there are none
  if (hours > 15 || minutes > 59) return Number.NaN;
  return sign * (hours * 3600 + minutes * 60);
}
