const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const TIME = '(?<hour>\\d{2}):(?<minute>\\d{2}):(?<second>\\d{2})';
const DAY = `(?<weekday>${DAYS.join('|')})`;
const LONG_DAY = '(?<weekday>Sun|Mon|Tues|Wednes|Thurs|Fri|Satur)day';
const MONTH = `(?<month>${MONTHS.join('|')})`;

/** The three forms of RFC 9110 §5.6.7: what is sent today, RFC 850 and C's `asctime`. */
const FORMS = [
  new RegExp(`^${DAY}, (?<day>\\d{2}) ${MONTH} (?<year>\\d{4}) ${TIME} GMT$`),
  new RegExp(`^${LONG_DAY}, (?<day>\\d{2})-${MONTH}-(?<year>\\d{2}) ${TIME} GMT$`),
  new RegExp(`^${DAY} ${MONTH} (?<day>[ \\d]\\d) ${TIME} (?<year>\\d{4})$`),
];

/** A two-digit year is never more than this many years ahead (RFC 9110 §5.6.7). */
const MAX_YEARS_AHEAD = 50;

/**
 * A date of HTTP in milliseconds since 1970, or `undefined` for anything that is not exactly one of its three forms, has
 * a day that its month has not, or names another day of the week. `Date.parse` takes far more than that, in local time.
 */
export function parseHttpDate(text: string, now: number = Date.now()): number | undefined {
  for (const form of FORMS) {
    const parts = form.exec(text)?.groups;
    if (parts !== undefined) return timeOf(parts, now);
  }
  return undefined;
}

/** The form that is sent; what is below a second is cut off. */
export function formatHttpDate(time: number): string {
  return new Date(time).toUTCString();
}

function timeOf(parts: Readonly<Record<string, string>>, now: number): number | undefined {
  const { year = '', month = '', day = '', weekday = '', hour = '', minute = '', second = '' } = parts;
  const monthIndex = MONTHS.indexOf(month);
  const fullYear =
    year.length === 2 ? fullYearOf(Number(year), { monthIndex, day: Number(day), now }) : Number(year);
  const midnight = new Date(Date.UTC(fullYear, monthIndex, Number(day)));
  const isThatDay =
    midnight.getUTCFullYear() === fullYear &&
    midnight.getUTCMonth() === monthIndex &&
    midnight.getUTCDate() === Number(day) &&
    DAYS[midnight.getUTCDay()] === weekday.slice(0, 3);
  // 60 is a leap second.
  const isThatTime = Number(hour) < 24 && Number(minute) < 60 && Number(second) <= 60;
  if (!isThatDay || !isThatTime) return undefined;
  return midnight.getTime() + ((Number(hour) * 60 + Number(minute)) * 60 + Number(second)) * 1000;
}

/** The latest year with these last digits in which the day is not too far ahead. */
function fullYearOf(
  lastDigits: number,
  { monthIndex, day, now }: { readonly monthIndex: number; readonly day: number; readonly now: number },
): number {
  const latest = new Date(now).getUTCFullYear() + MAX_YEARS_AHEAD;
  const year = latest - ((latest - lastDigits) % 100);
  return Date.UTC(year - MAX_YEARS_AHEAD, monthIndex, day) > now ? year - 100 : year;
}
