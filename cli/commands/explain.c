// SPDX-License-Identifier: MIT
#include "cli/common/command.h"
#include "cli/common/report.h"
#include "cli/explain/request.h"

enum {
	OPTION_PID = LONG_ONLY,
	OPTION_CONTAINER,
	OPTION_USER,
	OPTION_USERNS,
	OPTION_READ,
	OPTION_WRITE,
	OPTION_EXEC,
	OPTION_CREATE,
	OPTION_UNLINK,
	OPTION_CHMOD,
	OPTION_CHOWN,
	OPTION_OWNERS,
	OPTION_JSON
};

static const struct option_row options[] = {
	{ OPTION_PID, "pid", "PID", "the process; without it, this one" },
	{ OPTION_CONTAINER, "container", "ID", "the first process of the container" },
	{ OPTION_USER, "user", "USER[:GROUP]", "with the credentials of that user" },
	{ OPTION_USERNS, "userns", "PID", "in the user namespace of that process" },
	{ OPTION_READ, "read", NULL, "open PATH to read" },
	{ OPTION_WRITE, "write", NULL, "open PATH to write" },
	{ OPTION_EXEC, "exec", NULL, "execute PATH; of a directory, search it" },
	{ OPTION_CREATE, "create", NULL, "create a file in the directory PATH" },
	{ OPTION_UNLINK, "unlink", NULL, "remove PATH" },
	{ OPTION_CHMOD, "chmod", NULL, "change the mode" },
	{ OPTION_CHOWN, "chown", "UID[:GID]", "change the owner, as the process counts IDs" },
	{ OPTION_OWNERS, "owners", NULL, "of the files below the directory PATH, as a table" },
	{ OPTION_JSON, "json", NULL, "print a JSON array" },
	{ 0 },
};

static const char details[] =
	"Shows each step on the way to PATH, as the process sees it, and what the kernel's rules decide:\n"
	"directories, the file, the mount with its map, the process. A refusal comes with its reason\n"
	"and, where one command removes it, with that command. Nothing is changed. Without an access,\n"
	"the common ones are shown. Exit status: 1 if an access in the options is refused.\n";

static int parse_owner(struct explain_request *request, const char *text)
{
	const char *rest = text;

	if (*text != ':' && !parse_id_until(text, ':', &request->new_uid, &rest))
		return report_usage("--chown: %s: expected UID, UID:GID or :GID", text);
	if (*text == ':')
		rest = text + 1;
	if ((*rest || *text == ':') && !parse_id_until(rest, '\0', &request->new_gid, &rest))
		return report_usage("--chown: %s: expected UID, UID:GID or :GID", text);
	return DONE;
}

static int read_option(struct explain_request *request, int letter, const char *value)
{
	switch (letter) {
	case OPTION_PID:
		return parse_process_number("pid", value, &request->subject.pid);
	case OPTION_USERNS:
		return parse_process_number("userns", value, &request->subject.userns_pid);
	case OPTION_CONTAINER:
		request->subject.container = value;
		return DONE;
	case OPTION_USER:
		request->subject.user = value;
		return DONE;
	case OPTION_OWNERS:
		request->report.wants_owners = true;
		return DONE;
	case OPTION_JSON:
		request->report.as_json = true;
		return DONE;
	default:
		request->accesses |= 1U << (letter - OPTION_READ + IDM_ACCESS_READ);
		return letter == OPTION_CHOWN ? parse_owner(request, value) : DONE;
	}
}

static int explain_all(struct explain_request *request, char *const *paths, size_t n)
{
	int status = DONE;

	if (request->report.as_json)
		json_open(&request->report.json, NULL, '[');
	for (size_t i = 0; i < n; i++)
		if (explain_requested_path(request, paths[i]) != DONE)
			status = FAILED;
	if (request->report.as_json)
		json_print(&request->report.json);
	return request->accesses && request->refused ? FAILED : status;
}

static int run_explain(int argc, char **argv)
{
	struct arguments a = { .command = &command_explain, .argc = argc, .argv = argv };
	struct explain_request request = { .new_uid = IDM_EXPLAIN_NO_ID, .new_gid = IDM_EXPLAIN_NO_ID };
	char **paths;
	int letter, status;
	size_t n;

	while ((letter = next_command_option(&a)) > 0)
		if (read_option(&request, letter, a.value) != DONE)
			return USAGE;
	if (letter < 0)
		return letter == OPTION_HELP ? DONE : USAGE;
	n = operands(&a, &paths);
	if (!n)
		return report_operands(&a, "PATH");
	status = prepare_subject(&request.subject);
	if (status == FAILED && request.report.as_json)
		print_line("[]");
	if (status == DONE)
		status = explain_all(&request, paths, n);
	if (check_container_alive(&request.subject) != DONE)
		status = FAILED;
	free_subject(&request.subject);
	return status;
}

const struct command command_explain = {
	.name = "explain",
	.operands = "PATH...",
	.summary = "show why access to a file is refused, and what cures it",
	.details = details,
	.options = options,
	.run = run_explain,
};
