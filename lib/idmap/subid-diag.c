// SPDX-License-Identifier: MIT
/*
 * usermod(8) assigns any range to an owner. If two owners have the same range, each can access the
 * other's files. So the library looks for a free range as useradd(8) does: from SUB_UID_MIN of
 * /etc/login.defs on, past every range in /etc/subuid, and past the IDs of users.
 */
#include "subid-diag.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "idmap.h"
#include "lib/base/array.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/base/subid-line.h"
#include "nss.h"

static const enum idm_error_step step_subid = IDM_STEP_LOOK_UP_SUBIDS;

struct range {
	unsigned long long start, end; /* of which the last is not in it */
	bool own;
};

struct ranges {
	struct range *v;
	size_t n;
	bool failed;
	const char *owner; /* a range of this name or number is an own one */
	char uid[12];	   /* empty: not known */
};

/* What login.defs says. */
struct limits {
	unsigned long long min, max, count;
};

/* ---- reading ---- */

/* More is not read: a line of any length would be kept in memory. */
#define MOST_BYTES (16L << 20)

/* A device may never end, or do something when it is opened. */
static FILE *open_plain_file(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > MOST_BYTES)
		return NULL;
	return fopen(path, "re");
}

/* Calls `each` for every line, without its end, which it may take apart. */
static void read_each_line(const char *path, void (*each)(char *line, void *data), void *data)
{
	FILE *file = open_plain_file(path);
	char *line = NULL;
	size_t size = 0;

	while (file && getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		each(line, data);
	}
	free(line);
	if (file)
		fclose(file);
}

static void append_taken(struct ranges *ranges, struct range range)
{
	struct range *new = idm_array_append(&ranges->v, &ranges->n, sizeof(*new));

	if (new)
		*new = range;
	else
		ranges->failed = true;
}

static void append_subid_range(char *text, void *data)
{
	struct ranges *taken = data;
	struct idm_subid_line line;
	bool own;

	if (!idm_parse_subid_line(text, &line) || line.start >= IDM_ID_END)
		return;
	own = strcmp(line.owner, taken->owner) == 0 || strcmp(line.owner, taken->uid) == 0;
	append_taken(taken,
		     (struct range){ line.start,
				     line.count < IDM_ID_END ? line.start + line.count : IDM_ID_END,
				     own });
}

/* "NAME:PASSWORD:ID..." */
static void parse_account(char *line, void *data)
{
	const char *password = strchr(line, ':'), *id = password ? strchr(password + 1, ':') : NULL;
	unsigned long long number;

	if (id && sscanf(id, ":%10llu", &number) == 1)
		append_taken(data, (struct range){ number, number + 1, false });
}

static void parse_limit(char *line, void *data)
{
	struct limits *limits = data;
	unsigned long long value;
	char name[16];

	if (sscanf(line, " SUB_%*1[UG]ID_%15s %llu", name, &value) != 2)
		return;
	if (strcmp(name, "MIN") == 0)
		limits->min = value;
	else if (strcmp(name, "MAX") == 0)
		limits->max = value;
	else if (strcmp(name, "COUNT") == 0)
		limits->count = value;
}

/* The other kind's lines are not to be seen. */
static void parse_uid_limit(char *line, void *data)
{
	if (strstr(line, "SUB_UID_"))
		parse_limit(line, data);
}

static void parse_gid_limit(char *line, void *data)
{
	if (strstr(line, "SUB_GID_"))
		parse_limit(line, data);
}

/* ---- looking ---- */

static int compare_start(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* The first range of so many IDs that nothing else has; 0: none. */
static unsigned long long find_free_range(struct ranges *taken, const struct limits *limits)
{
	unsigned long long start = limits->min;

	if (taken->n)
		qsort(taken->v, taken->n, sizeof(*taken->v), compare_start);
	for (size_t i = 0; i < taken->n && taken->v[i].start < start + limits->count; i++)
		if (taken->v[i].end > start)
			start = taken->v[i].end;
	return start + limits->count - 1 <= limits->max ? start : 0;
}

static void read_limits(unsigned int kind, struct limits *limits)
{
	static const struct limits usual = { 100000, 600100000, 65536 };

	*limits = usual;
	read_each_line("/etc/login.defs", kind == IDM_UID ? parse_uid_limit : parse_gid_limit, limits);
	if (!limits->min || !limits->count || limits->max >= IDM_ID_END || limits->min > limits->max)
		*limits = usual;
}

static const char *file_of(unsigned int kind)
{
	return kind == IDM_UID ? "/etc/subuid" : "/etc/subgid";
}

static void read_taken(unsigned int kind, const char *owner, struct ranges *taken)
{
	struct idm_ids ids;

	*taken = (struct ranges){ .owner = owner };
	if (idm_nss_find_user(owner, &ids) == 0)
		snprintf(taken->uid, sizeof(taken->uid), "%u", ids.uid);
	read_each_line(file_of(kind), append_subid_range, taken);
	read_each_line(kind == IDM_UID ? "/etc/passwd" : "/etc/group", parse_account, taken);
}

static bool has_range(unsigned int kind, const char *owner)
{
	struct ranges taken;
	bool found = false;

	read_taken(kind, owner, &taken);
	for (size_t i = 0; i < taken.n && !found; i++)
		found = taken.v[i].own;
	free(taken.v);
	return found;
}

/* ---- the command ---- */

/* usermod(8) with an option for each kind. */
struct command {
	char options[128];
	size_t length;
};

static void append_option(struct command *c, unsigned int kind, unsigned long long start,
			  unsigned long long count)
{
	c->length += (size_t)snprintf(c->options + c->length, sizeof(c->options) - c->length,
				      " --add-sub%cids %llu-%llu", kind == IDM_UID ? 'u' : 'g', start,
				      start + count - 1);
}

static void hint_command(const struct command *c, const char *owner, struct idm_error *err)
{
	idm_hint(err, "usermod%s %s", c->options, owner);
}

/* False: the hint says what to do instead. */
static bool add_free_range(struct command *c, unsigned int kind, const char *owner,
			   struct idm_error *err)
{
	struct ranges taken;
	struct limits limits;
	struct idm_ids ids;
	unsigned long long start;

	read_limits(kind, &limits);
	read_taken(kind, owner, &taken);
	start = taken.failed ? 0 : find_free_range(&taken, &limits);
	free(taken.v);
	if (!start)
		idm_hint(err,
			 "expected %llu free IDs from %llu to %llu: remove a range there, or change "
			 "the limits in /etc/login.defs",
			 limits.count, limits.min, limits.max);
	else if (idm_nss_find_user(owner, &ids) < 0)
		idm_hint(err, "the user does not exist; expected a line such as %s:%llu:%llu in %s",
			 owner, start, limits.count, file_of(kind));
	else
		append_option(c, kind, start, limits.count);
	return c->length;
}

/* A range of one kind alone leads to the same failure for the other kind. */
int idm_diagnose_subid(unsigned int kind, const char *owner, struct idm_error *err)
{
	unsigned int other = IDM_BOTH & ~kind;
	struct command c = { .length = 0 };

	if (!err)
		return -ENOENT;
	idm_fail(err, -ENOENT, step_subid, owner, "no range in %s", file_of(kind));
	if (!add_free_range(&c, kind, owner, err))
		return -ENOENT;
	if (!has_range(other, owner))
		add_free_range(&c, other, owner, err);
	hint_command(&c, owner, err);
	return -ENOENT;
}

/* ---- a grant of one ID ---- */

/* What the files say about an ID, and how many from it on are free. */
struct holder {
	bool own, other;
	unsigned long long n_free;
	struct limits limits;
};

static bool is_in(const struct range *range, uint32_t id)
{
	return id >= range->start && id < range->end;
}

/* None is free below the limits. */
static unsigned long long count_free(const struct ranges *taken, const struct limits *limits,
				     uint32_t id)
{
	bool allowed = id >= limits->min && id <= limits->max && !taken->failed;
	unsigned long long end = allowed ? id + limits->count : id;

	if (end > limits->max + 1)
		end = limits->max + 1;
	for (size_t i = 0; i < taken->n; i++)
		if (taken->v[i].start > id && taken->v[i].start < end)
			end = taken->v[i].start;
	return end > id ? end - id : 0;
}

static void find_holder(unsigned int kind, uint32_t id, const char *owner, struct holder *h)
{
	struct ranges taken;

	*h = (struct holder){ .own = false };
	read_limits(kind, &h->limits);
	read_taken(kind, owner, &taken);
	for (size_t i = 0; i < taken.n; i++)
		if (is_in(&taken.v[i], id))
			*(taken.v[i].own ? &h->own : &h->other) = true;
	h->n_free = h->own || h->other ? 0 : count_free(&taken, &h->limits, id);
	free(taken.v);
}

bool idm_subid_grants(unsigned int kind, uint32_t id, const char *owner)
{
	struct holder h;

	find_holder(kind, id, owner, &h);
	return h.own;
}

/* False: no command grants this ID, and the hint says why. */
static bool add_grant(struct command *c, unsigned int kind, uint32_t id, const char *owner,
		      struct idm_error *err)
{
	const char *name = kind == IDM_UID ? "uid" : "gid";
	struct holder h;

	find_holder(kind, id, owner, &h);
	if (h.own)
		idm_hint(err,
			 "%s has this ID, but this user namespace lacks it: make a new one (podman's "
			 "by podman system migrate)",
			 owner);
	else if (h.other)
		idm_hint(err, "%s %u is an ID of another %s, so it cannot be granted to %s", name, id,
			 kind == IDM_UID ? "user" : "group or user", owner);
	else if (!h.n_free)
		idm_hint(err, "map another ID: subordinate %ss are from %llu to %llu (/etc/login.defs)",
			 name, h.limits.min, h.limits.max);
	else
		append_option(c, kind, id, h.n_free);
	return h.n_free;
}

void idm_hint_grant(unsigned int kinds, struct idm_ids ids, const char *owner, struct idm_error *err)
{
	struct command c = { .length = 0 };

	if (!err)
		return;
	if (kinds & IDM_UID && !add_grant(&c, IDM_UID, ids.uid, owner, err))
		return;
	if (kinds & IDM_GID && !add_grant(&c, IDM_GID, ids.gid, owner, err))
		return;
	hint_command(&c, owner, err);
}
