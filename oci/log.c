// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "json-edit.h"
#include "lib/base/escape.h"
#include "lib/sys/syscall.h"
#include "runtime.h"

static void stamp(char *buf, size_t size)
{
	time_t now = time(NULL);
	struct tm tm;

	if (!gmtime_r(&now, &tm) || !strftime(buf, size, "%Y-%m-%dT%H:%M:%SZ", &tm))
		*buf = '\0';
}

/* Escaped as on standard error: a name in it need not be UTF-8, but a string in JSON has to be. */
static char *quote_message(const char *message, const char *hint)
{
	char *text = hint ? text_of("%s (hint: %s)", message, hint) : text_of("%s", message);
	size_t size = text ? 4 * strlen(text) + 1 : 0;
	char *shown = text ? malloc(size) : NULL, *quoted;

	if (shown)
		idm_escape(shown, size, text);
	quoted = json_quote(shown);
	free(shown);
	free(text);
	return quoted;
}

/* The forms are those of runc. */
void oci_log_error(const struct oci_log *log, const char *message, const char *hint)
{
	int fd = log->file ? open(log->file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
	char *line, *quoted, when[32];

	if (fd < 0)
		return;
	stamp(when, sizeof(when));
	quoted = quote_message(message, hint);
	line = !quoted	   ? NULL
	       : log->json ? text_of("{\"level\":\"error\",\"msg\":%s,\"time\":\"%s\"}\n", quoted, when)
			   : text_of("time=\"%s\" level=error msg=%s\n", when, quoted);
	if (!line || idm_sys_write_all(fd, line, strlen(line)) < 0) {
		/* it is on standard error already */
	}
	close(fd);
	free(quoted);
	free(line);
}
