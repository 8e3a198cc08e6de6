// SPDX-License-Identifier: MIT
/* An engine that does not work knows no container. Its last message says why. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine.h"

#define MESSAGES_MOST 4096

/* What a terminal's user reads of one, beside the engine's name. */
#define MESSAGE_MOST 200

/* Cuts the end of the line, and returns its beginning. */
static const char *cut_last_line(char *text)
{
	char *end = text + strlen(text), *start;

	while (end > text && end[-1] == '\n')
		*--end = '\0';
	start = strrchr(text, '\n');
	return start ? start + 1 : text;
}

int open_messages(void)
{
	return memfd_create("messages", MFD_CLOEXEC);
}

void note_complaint(const char *engine, int messages, char text[COMPLAINT_MOST])
{
	char all[MESSAGES_MOST];
	ssize_t n = pread(messages, all, sizeof(all) - 1, 0);
	const char *message;

	all[n > 0 ? n : 0] = '\0';
	message = cut_last_line(all);
	if (!*text && *message && !strcasestr(message, "no such container"))
		snprintf(text, COMPLAINT_MOST, "; %s says: %.*s", engine, MESSAGE_MOST,
			 message);
}
