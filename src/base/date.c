// See date.h. The calendar is computed here: the C library's would bring the locale and the time
// zone of the machine along.
#include "base/date.h"

#include "os/os.h"

// Days since 1970-01-01 to a date of the Gregorian calendar. Years are counted from March, so that
// the leap day is the last: 146097 days are 400 years, 153 days are five months.
date date_of(int64_t seconds)
{
    int64_t days = seconds / 86400, rest = seconds % 86400;
    int64_t z = days + 719468; // since 0000-03-01; not negative: clocks do not go back to year 0
    int64_t era = z / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), month = (5 * doy + 2) / 153;
    int64_t year = yoe + era * 400 + (month >= 10);
    return (date){(int)year, (int)(month < 10 ? month + 3 : month - 9),
                  (int)(doy - (153 * month + 2) / 5 + 1), (int)(rest / 3600),
                  (int)(rest / 60 % 60), (int)(rest % 60)};
}

date date_now(void) { return date_of(os_unix_seconds()); }

static bool read_number(str s, size_t at, size_t n, int low, int high, int *out)
{
    int64_t v;
    if (at + n > s.n || !str_parse_i64((str){s.p + at, n}, &v) || v < low || v > high) return false;
    *out = (int)v;
    return true;
}

bool date_read(str s, date *t)
{
    *t = (date){0};
    bool ok = (s.n == 10 || s.n == 19) && s.p[4] == '-' && s.p[7] == '-' &&
              read_number(s, 0, 4, 1, 9999, &t->year) && read_number(s, 5, 2, 1, 12, &t->month) &&
              read_number(s, 8, 2, 1, 31, &t->day);
    if (!ok || s.n == 10) return ok;
    return (s.p[10] == 'T' || s.p[10] == ' ') && s.p[13] == ':' && s.p[16] == ':' &&
           read_number(s, 11, 2, 0, 23, &t->hour) && read_number(s, 14, 2, 0, 59, &t->minute) &&
           read_number(s, 17, 2, 0, 60, &t->second);
}
