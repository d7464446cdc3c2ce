import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { formatHttpDate, parseHttpDate } from '../../libs/caching/src/page/http-date.js';

const NOW = Date.UTC(2026, 10, 24);
const LONG_DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

/** One moment in the three forms of RFC 9110 §5.6.7. */
function forms(time: number): [imfFixdate: string, rfc850: string, asctime: string] {
  const imf = formatHttpDate(time);
  const [, day = '', month = '', year = '', clock = ''] = imf.split(' ');
  const weekday = new Date(time).getUTCDay();
  return [
    imf,
    `${LONG_DAYS[weekday]}, ${day}-${month}-${year.slice(2)} ${clock} GMT`,
    `${imf.slice(0, 3)} ${month} ${day.replace(/^0/, ' ')} ${clock} ${year}`,
  ];
}

describe('parseHttpDate', () => {
  it('reads the example of RFC 9110 in all three forms', () => {
    for (const text of [
      'Sun, 06 Nov 1994 08:49:37 GMT',
      'Sunday, 06-Nov-94 08:49:37 GMT',
      'Sun Nov  6 08:49:37 1994',
    ]) {
      expect([text, parseHttpDate(text, NOW)]).toEqual([text, Date.UTC(1994, 10, 6, 8, 49, 37)]);
    }
  });

  it('reads every second of a century in every form', () => {
    const second = fc.integer({ min: Date.UTC(1977, 0, 1) / 1000, max: Date.UTC(2076, 10, 23) / 1000 });
    fc.assert(
      fc.property(second, (seconds) => {
        for (const text of forms(seconds * 1000)) expect(parseHttpDate(text, NOW)).toBe(seconds * 1000);
      }),
    );
  });

  it('takes a two-digit year for one at most 50 years ahead', () => {
    expect(parseHttpDate('Tuesday, 24-Nov-76 00:00:00 GMT', NOW)).toBe(Date.UTC(2076, 10, 24));
    expect(parseHttpDate('Thursday, 25-Nov-76 00:00:00 GMT', NOW)).toBe(Date.UTC(1976, 10, 25));
    expect(parseHttpDate('Saturday, 01-Jan-00 00:00:00 GMT', Date.UTC(1999, 5, 1))).toBe(
      Date.UTC(2000, 0, 1),
    );
  });

  it('knows leap days and leap seconds', () => {
    expect(parseHttpDate('Thu, 29 Feb 2024 00:00:00 GMT')).toBe(Date.UTC(2024, 1, 29));
    expect(parseHttpDate('Sat, 31 Dec 2016 23:59:60 GMT')).toBe(Date.UTC(2017, 0, 1));
  });

  it.each([
    '',
    '0',
    '-1',
    '1994',
    'now',
    'Sun, 06 Nov 1994 08:49:37',
    'Sun, 06 Nov 1994 08:49:37 UTC',
    'Sun, 06 Nov 1994 08:49:37 +0100',
    'Sun, 06 Nov 1994 08:49:37 PST',
    'Thu, 18 Aug 50 02:01:18 GMT',
    'Sun,06 Nov 1994 08:49:37 GMT',
    ' Sun, 06 Nov 1994 08:49:37 GMT',
    'Sun, 6 Nov 1994 08:49:37 GMT',
    'sun, 06 nov 1994 08:49:37 gmt',
    'Mon, 06 Nov 1994 08:49:37 GMT',
    'Sun, 31 Nov 1994 08:49:37 GMT',
    'Sun, 00 Nov 1994 08:49:37 GMT',
    'Wed, 29 Feb 2023 00:00:00 GMT',
    'Sun, 06 Nov 1994 24:00:00 GMT',
    'Sun, 06 Nov 1994 08:60:00 GMT',
    'Sun, 06 Nov 1994 08:49:61 GMT',
    'Sun, 06 Nov 0094 08:49:37 GMT',
    'Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT',
    '1994-11-06T08:49:37Z',
  ])('refuses %j', (text) => {
    expect(parseHttpDate(text, NOW)).toBeUndefined();
  });

  it('never throws, and what it reads it writes', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.date({ noInvalidDate: true }).map(String)), (text) => {
        const time = parseHttpDate(text, NOW);
        if (time !== undefined) expect(parseHttpDate(formatHttpDate(time), NOW)).toBe(time);
      }),
    );
  });
});
