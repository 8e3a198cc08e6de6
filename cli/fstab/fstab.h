/* SPDX-License-Identifier: MIT */
/* fstab(5) and units of systemd, as "idmount check --fstab" reads them. */
#ifndef IDM_CLI_FSTAB_FSTAB_H
#define IDM_CLI_FSTAB_FSTAB_H

#include <stdbool.h>
#include <stddef.h>

/* A line of fstab, or a unit. All texts are allocated. */
struct fstab_line {
	size_t number;
	char *source, *target, *type, *options;
	char *rest; /* the fields after the fourth */
};

struct fstab {
	const char *file;
	bool unit; /* of systemd */
	struct fstab_line *lines;
	size_t n;
	bool faulty;
	char place[1100]; /* "FILE:LINE", the prefix of each report about the line */
};

/* The next reports are about this line. */
void report_at(struct fstab *fstab, size_t number);

/* Adds a line, and owns its texts, also if it returns false: without memory. NULL is a lack of memory.
 */
bool append_fstab_line(struct fstab *fstab, struct fstab_line line);
void free_fstab_line(struct fstab_line *line);
void free_fstab_lines(struct fstab *fstab);

/*
 * Read the text of the file, and report what is no line or section of one. They return false without
 * memory. The second one changes the text.
 */
bool parse_fstab(struct fstab *fstab, const char *text);
bool parse_mount_unit(struct fstab *fstab, char *text);

/* Looks for an option, with a value or without one, as mount(8) cuts the list. */
bool has_fstab_option(const char *list, const char *name);

/*
 * Report a fault of a line. They return DONE or FAILED, and USAGE for wrong options.
 */
int check_fields(const struct fstab_line *line);
int check_fstab_type(const struct fstab_line *line);
int check_other_type(const struct fstab_line *line);
int check_idmap_options(const struct fstab_line *line);
int check_unit_keys(const struct fstab *fstab, const struct fstab_line *line);
int check_fstab_source(const struct fstab *fstab, const struct fstab_line *line);
int check_fstab_target(const struct fstab *fstab, const struct fstab_line *line);

#endif
