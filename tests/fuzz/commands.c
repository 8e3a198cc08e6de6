// SPDX-License-Identifier: MIT
#include "commands.h"

#include <getopt.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "lib/sys/syscall.h"

/* ---- arguments ---- */

#define MOST_ARGUMENTS 64

char **arguments_of(const char *const *first, const uint8_t *data, size_t size, int *argc)
{
	const uint8_t *end = data + size;
	char **argv = calloc(MOST_ARGUMENTS + 1, sizeof(*argv));
	int n = 0;

	CHECK(argv);
	for (; first[n]; n++)
		argv[n] = text_copy((const uint8_t *)first[n], strlen(first[n]));
	/* A line end after the last argument starts no other. */
	while (size && n < MOST_ARGUMENTS) {
		const uint8_t *line = memchr(data, '\n', (size_t)(end - data));
		size_t length = line ? (size_t)(line - data) : (size_t)(end - data);

		argv[n] = text_copy(data, length);
		/* This allows arguments with a line end. */
		for (char *c = argv[n]; *c; c++)
			if (*c == '\v')
				*c = '\n';
		n++;
		if (!line || line + 1 == end)
			break;
		data = line + 1;
	}
	*argc = n;
	return argv;
}

void free_arguments(char **argv)
{
	for (size_t i = 0; argv[i]; i++)
		free(argv[i]);
	free(argv);
}

/* ---- no effects ---- */

/*
 * stubs.c replaces all functions with effects. If it lacks one, this filter stops its system call. The
 * filter allows execve(2), because sanitizers use it to look up the names of functions.
 */
static const int forbidden[] = {
	SYS_mount,     SYS_umount2,   SYS_unshare,   SYS_setns,	    SYS_pivot_root, SYS_chroot,
	SYS_mkdirat,   SYS_mknodat,   SYS_unlinkat,  SYS_symlinkat, SYS_fchownat,   SYS_fchmodat,
	SYS_fsopen,    SYS_fsconfig,  SYS_fsmount,   SYS_open_tree, SYS_move_mount, SYS_mount_setattr,
	SYS_setresuid, SYS_setresgid, SYS_setgroups, SYS_capset,    SYS_kill,	    SYS_open_tree_attr,
};

#define FORBIDDEN (ARRAY_SIZE(forbidden))

static void caught(int signal)
{
	(void)signal;
	abort(); /* libFuzzer saves the input */
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct sock_filter filter[FORBIDDEN * 2 + 2] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	struct sock_fprog program = { FORBIDDEN * 2 + 2, filter };
	size_t n = 1;

	for (int i = 1; i < *argc; i++)
		if (strncmp((*argv)[i], "-merge", 6) == 0)
			return 0; /* libFuzzer then executes itself repeatedly */
	for (size_t i = 0; i < FORBIDDEN; i++) {
		filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
							   (uint32_t)forbidden[i], 0, 1);
		filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
	}
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	signal(SIGSYS, caught);
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
	return 0;
}

/* ---- a run ---- */

static void check_line(const char *line, const char *name, size_t number)
{
	for (const char *c = line; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			FAIL("line %zu of the message has an unprintable byte: %s", number, line);
	if (strncmp(line, name, strlen(name)) != 0 && strncmp(line, "hint: ", 6) != 0)
		FAIL("line %zu does not begin as it should: %s", number, line);
}

static size_t check_messages(char *text, const char *name)
{
	size_t n = 0;
	char *end;

	for (char *line = text; *line; line = end + 1) {
		end = strchr(line, '\n');
		CHECK(end);
		*end = '\0';
		check_line(line, name, ++n);
	}
	return n;
}

/* -v, also among other letters, or --verbose: as many lines as steps. */
static bool may_report_steps(char **argv)
{
	for (; *argv; argv++)
		if (**argv == '-' && strchr(*argv, 'v'))
			return true;
	return false;
}

int run_main(int (*program)(int argc, char **argv), const char *name, size_t most, int argc, char **argv)
{
	FILE *error = stderr, *output = stdout, *said, *printed;
	char *messages, *text;
	size_t size, lines, length;
	int status;

	said = stderr = open_memstream(&messages, &size);
	printed = stdout = open_memstream(&text, &length);
	CHECK(said && printed);
	if (may_report_steps(argv))
		most = SIZE_MAX;
	optind = 0; /* forgets the state of the previous line */
	status = program(argc, argv);
	stderr = error;
	stdout = output;
	fclose(said);
	fclose(printed);
	/* A NUL would hide the rest of the messages. */
	CHECK(strlen(messages) == size);
	lines = check_messages(messages, name);
	/* With --json the standard output reports the failure. */
	CHECK(status == 0 || lines || length);
	if (lines > most)
		FAIL("%zu lines", lines);
	free(messages);
	free(text);
	return status;
}
