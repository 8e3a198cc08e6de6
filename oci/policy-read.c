// SPDX-License-Identifier: MIT
/* Reads the rules for annotations. Each line is one rule, and a line that is wrong is named. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/array.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/base/unescape.h"
#include "lib/sys/fail-errno.h"
#include "policy.h"

/* The text is a copy, which is cut into words. */
struct reader {
	struct idm_policy *policy;
	struct idm_policy_rule *rule;
	unsigned int line;
	struct idm_error *err;
};

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

#define LINE_FAIL(rd, ...) \
	idm_fail((rd)->err, -EINVAL, IDM_STEP_READ_POLICY, IDM_POLICY_FILE, __VA_ARGS__)

static int fail_policy_memory(const struct reader *rd)
{
	return idm_fail_errno(rd->err, -ENOMEM, IDM_STEP_READ_POLICY, IDM_POLICY_FILE);
}

/* ---- IDs ---- */

/* Reads one number, in one spelling only. Returns the text after it, or NULL. */
static const char *read_id(const char *p, uint32_t *id)
{
	uint64_t n = 0;
	const char *start = p;

	for (; *p >= '0' && *p <= '9' && n < UINT32_MAX; p++)
		n = 10 * n + (uint64_t)(*p - '0');
	/* 2^32-1 is no ID. */
	if (p == start || n >= UINT32_MAX || (*start == '0' && p - start > 1))
		return NULL;
	*id = (uint32_t)n;
	return p;
}

static bool read_range(const char *text, struct idm_policy_range *range)
{
	const char *p;

	if (strcmp(text, "any") == 0) {
		*range = (struct idm_policy_range){ 0, UINT32_MAX - 1 };
		return true;
	}
	p = read_id(text, &range->first);
	range->last = range->first;
	if (p && *p == '-')
		p = read_id(p + 1, &range->last);
	return p && !*p;
}

static int add_policy_range(const struct reader *rd, struct idm_policy_ids *ids,
			    struct idm_policy_range range)
{
	struct idm_policy_range *new = idm_array_append(&ids->ranges, &ids->n, sizeof(range));

	if (!new)
		return fail_policy_memory(rd);
	*new = range;
	return 0;
}

static int parse_range(const struct reader *rd, struct idm_policy_sides *sides, const char *text)
{
	bool uid = strncmp(text, "u:", 2) == 0, gid = strncmp(text, "g:", 2) == 0;
	struct idm_policy_range range = { 0, 0 };
	int r = 0;

	if (!read_range(text + (uid || gid ? 2 : 0), &range))
		return LINE_FAIL(rd, "line %u: expected ID, ID-ID or any, got \"%s\"", rd->line, text);
	if (range.first > range.last)
		return LINE_FAIL(rd, "line %u: expected the lower ID first, got \"%s\"", rd->line, text);
	if (!gid)
		r = add_policy_range(rd, &sides->uid, range);
	return r == 0 && !uid ? add_policy_range(rd, &sides->gid, range) : r;
}

static int parse_ids(const struct reader *rd, struct idm_policy_sides *sides, const char *key,
		     char *text)
{
	int r = 0;

	if (sides->given)
		return LINE_FAIL(rd, "line %u: duplicate %s", rd->line, key);
	sides->given = true;
	while (r == 0 && text) {
		char *range = strsep(&text, ",");

		r = parse_range(rd, sides, range);
	}
	return r;
}

/* ---- conditions ---- */

/* A path as it comes out of resolving one: no "." and "..", no empty component. */
static bool is_plain_source(const char *path)
{
	while (*path == '/') {
		size_t n = strcspn(path + 1, "/");

		if (n == 0 || (n == 1 && path[1] == '.') || (n == 2 && path[1] == '.' && path[2] == '.'))
			return false;
		path += 1 + n;
	}
	return !*path;
}

static int check_rule_source(const struct reader *rd, char *path)
{
	size_t n;

	if (!idm_unescape_strictly(path))
		return LINE_FAIL(rd, "line %u: source: expected three octal digits behind a backslash",
				 rd->line);
	n = strlen(path);
	if (n && path[n - 1] == '/')
		path[n - 1] = '\0';
	if (n && is_plain_source(path))
		return 0;
	return LINE_FAIL(rd,
			 "line %u: source: expected an absolute path without \".\", \"..\" and "
			 "empty components",
			 rd->line);
}

static int copy_value(const struct reader *rd, char **to, const char *key, char *value)
{
	if (*to)
		return LINE_FAIL(rd, "line %u: duplicate %s", rd->line, key);
	if (!*value)
		return LINE_FAIL(rd, "line %u: %s is empty", rd->line, key);
	*to = strdup(value);
	/* analyzer: it is the rule's, which idm_policy_free() frees */
	return *to ? 0 : fail_policy_memory(rd);
}

static int parse_source(const struct reader *rd, char *value)
{
	int r = copy_value(rd, &rd->rule->source, "source", value);

	return r < 0 ? r : check_rule_source(rd, rd->rule->source);
}

static bool has_only(const char *text, const char *characters)
{
	return !text[strspn(text, characters)];
}

/* Kubernetes names namespaces by RFC 1123 labels. A rule for another name would never match. */
static bool is_namespace(const char *name)
{
	size_t n = strlen(name);

	if (strcmp(name, "*") == 0 || strcmp(name, "-") == 0)
		return true;
	return n <= 63 && name[0] != '-' && name[n - 1] != '-' && has_only(name, LOWER DIGITS "-");
}

static int parse_namespace(const struct reader *rd, char *value)
{
	int r = copy_value(rd, &rd->rule->namespace, "namespace", value);

	if (r < 0 || is_namespace(value))
		return r;
	return LINE_FAIL(
		rd, "line %u: namespace: expected *, - or one name of a-z, 0-9 and \"-\", got \"%s\"",
		rd->line, value);
}

/* CRI-O and containerd accept more than labels. No handler is a pattern or a list. */
static int parse_handler(const struct reader *rd, char *value)
{
	int r = copy_value(rd, &rd->rule->handler, "handler", value);

	if (r < 0 || has_only(value, LOWER UPPER DIGITS "-._"))
		return r;
	return LINE_FAIL(rd,
			 "line %u: handler: expected one name of letters, digits, \"-\", \".\" and "
			 "\"_\", got \"%s\"",
			 rd->line, value);
}

static int parse_condition(const struct reader *rd, char *word)
{
	struct idm_policy_rule *rule = rd->rule;
	char *value = strchr(word, '=');

	if (!value)
		return LINE_FAIL(rd, "line %u: expected KEY=VALUE, got \"%s\"", rd->line, word);
	*value++ = '\0';
	if (strcmp(word, "source") == 0)
		return parse_source(rd, value);
	if (strcmp(word, "namespace") == 0)
		return parse_namespace(rd, value);
	if (strcmp(word, "handler") == 0)
		return parse_handler(rd, value);
	if (strcmp(word, "disk") == 0)
		return parse_ids(rd, &rule->disk, word, value);
	if (strcmp(word, "seen") == 0)
		return parse_ids(rd, &rule->seen, word, value);
	return LINE_FAIL(rd, "line %u: unknown key \"%s\"", rd->line, word);
}

/* ---- lines ---- */

static char *cut_policy_word(char **rest)
{
	char *word;

	do
		word = strsep(rest, " \t");
	while (word && !*word);
	return word;
}

static int add_rule(struct reader *rd, bool allow)
{
	struct idm_policy *policy = rd->policy;

	rd->rule = idm_array_append(&policy->rules, &policy->n, sizeof(*rd->rule));
	if (!rd->rule)
		return fail_policy_memory(rd);
	*rd->rule = (struct idm_policy_rule){ .line = rd->line, .allow = allow };
	return 0;
}

static int check_rule(const struct reader *rd)
{
	const struct idm_policy_rule *rule = rd->rule;

	if (rule->allow && (!rule->disk.given || !rule->seen.given))
		return LINE_FAIL(rd, "line %u: allow requires disk= and seen=", rd->line);
	if (!rule->allow && (rule->disk.given || rule->seen.given))
		return LINE_FAIL(rd,
				 "line %u: deny refuses all IDs: it has no disk= and seen=", rd->line);
	return 0;
}

static int parse_rule(struct reader *rd, bool allow, char *rest)
{
	int r = add_rule(rd, allow);
	char *word;

	while (r == 0 && (word = cut_policy_word(&rest)))
		r = parse_condition(rd, word);
	return r < 0 ? r : check_rule(rd);
}

static int parse_off(const struct reader *rd, char *rest)
{
	const char *word = cut_policy_word(&rest);

	if (word)
		return LINE_FAIL(rd, "line %u: expected nothing after \"off\", got \"%s\"", rd->line,
				 word);
	if (!rd->policy->off)
		rd->policy->off = rd->line;
	return 0;
}

static bool is_text(const char *line)
{
	for (; *line; line++)
		if ((unsigned char)*line < ' ' && *line != '\t')
			return false;
	return true;
}

static int parse_line(struct reader *rd, char *line)
{
	const char *word;

	if (!is_text(line))
		return LINE_FAIL(rd, "line %u: it has a control character", rd->line);
	word = cut_policy_word(&line);
	if (!word || *word == '#')
		return 0;
	if (strcmp(word, "off") == 0)
		return parse_off(rd, line);
	if (strcmp(word, "allow") == 0 || strcmp(word, "deny") == 0)
		return parse_rule(rd, *word == 'a', line);
	return LINE_FAIL(rd, "line %u: expected allow, deny or off, got \"%s\"", rd->line, word);
}

static int parse_lines(struct reader *rd, char *text, size_t length)
{
	const char *nul = memchr(text, '\0', length);
	int r = 0;

	while (r == 0 && text) {
		char *line = strsep(&text, "\n");

		rd->line++;
		r = parse_line(rd, line);
		if (r == 0 && nul && !text)
			return LINE_FAIL(rd, "line %u: it has a control character", rd->line);
	}
	return r;
}

/* ---- the whole ---- */

int idm_policy_parse(const char *text, size_t length, struct idm_policy **policy, struct idm_error *err)
{
	AUTO_FREE char *copy = malloc(length + 1);
	struct reader rd = { .policy = calloc(1, sizeof(**policy)), .err = err };
	int r;

	if (!copy || !rd.policy) {
		free(rd.policy);
		return fail_policy_memory(&rd);
	}
	memcpy(copy, text, length);
	copy[length] = '\0';
	r = parse_lines(&rd, copy, length);
	if (r < 0)
		idm_policy_free(rd.policy);
	else
		*policy = rd.policy;
	return r;
}

static void free_sides(const struct idm_policy_sides *sides)
{
	free(sides->uid.ranges);
	free(sides->gid.ranges);
}

void idm_policy_free(struct idm_policy *policy)
{
	for (size_t i = 0; policy && i < policy->n; i++) {
		const struct idm_policy_rule *rule = &policy->rules[i];

		free(rule->source);
		free(rule->namespace);
		free(rule->handler);
		free_sides(&rule->disk);
		free_sides(&rule->seen);
	}
	if (policy)
		free(policy->rules);
	free(policy);
}
