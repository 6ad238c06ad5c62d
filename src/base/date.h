// Dates of the Gregorian calendar, UTC.
#ifndef HEARTH_BASE_DATE_H
#define HEARTH_BASE_DATE_H

#include "base/str.h"

typedef struct date { int year, month, day, hour, minute, second; } date; // month 1..12
date date_of(int64_t unix_seconds); // not before year 0
date date_now(void);
// "YYYY-MM-DD" or "YYYY-MM-DDTHH:MM:SS"
bool date_read(str s, date *out);

#endif
