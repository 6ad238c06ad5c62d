// Dates for chat templates.
#ifndef HEARTH_CLI_DATE_H
#define HEARTH_CLI_DATE_H

#include "tmpl/tmpl.h"

tmpl_time date_now(void); // UTC
// "YYYY-MM-DD" or "YYYY-MM-DDTHH:MM:SS"
bool date_read(str s, tmpl_time *t);

#endif
