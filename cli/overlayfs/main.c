// SPDX-License-Identifier: MIT
/*
 * The mount_program of containers/storage:
 *
 *   idmount-overlayfs -o OPTIONS TARGET
 *   idmount-overlayfs --convert STORAGE
 *
 * The engine runs it as root of its user namespace, and shows its messages.
 */
#include <getopt.h>
#include <stdio.h>

#include "cli/common/report.h"
#include "cli/common/standard-fds.h"
#include "mount-overlay.h"
#include "storage.h"

enum { OPTION_CONVERT = 256, OPTION_VERSION };

static const char usage[] = "usage: idmount-overlayfs -o OPTION[,OPTION]... TARGET\n"
			    "       idmount-overlayfs --convert STORAGE\n"
			    "       idmount-overlayfs --help|--version\n";

static const struct option long_options[] = {
	{ "convert", required_argument, NULL, OPTION_CONVERT },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static int print_synopsis(void)
{
	fputs(usage, stdout);
	return finish_output(DONE);
}

/* podman shows it in "podman info". */
static int print_version(void)
{
	printf("idmount-overlayfs %s\n", idm_version());
	return finish_output(DONE);
}

static int report_wrong_usage(void)
{
	return report_usage(
		"expected -o OPTIONS TARGET, or --convert STORAGE; see idmount-overlayfs(8)");
}

static int mount_operand(struct overlay_request *q, int argc, char **argv)
{
	int status;

	if (argc - optind != 1)
		return report_wrong_usage();
	status = check_overlay_options(q);
	return status == DONE ? mount_requested_overlay(q, argv[optind]) : status;
}

static int convert_operand(const char *storage, int argc)
{
	return argc == optind ? convert_storage(storage) : report_wrong_usage();
}

static int handle_arguments(struct overlay_request *q, int argc, char **argv)
{
	const char *storage = NULL;
	int letter, status = DONE;

	opterr = 0;
	while (status == DONE && (letter = getopt_long(argc, argv, "o:h", long_options, NULL)) != -1) {
		if (letter == OPTION_VERSION)
			return print_version();
		if (letter == 'h')
			return print_synopsis();
		if (letter == OPTION_CONVERT)
			storage = optarg;
		else
			status = letter == 'o' ? add_overlay_options(q, optarg) : report_wrong_usage();
	}
	if (status != DONE)
		return status;
	return storage ? convert_operand(storage, argc) : mount_operand(q, argc, argv);
}

int main(int argc, char **argv)
{
	struct overlay_request q;
	int status;

	report_as("idmount-overlayfs");
	if (open_standard_fds() != DONE)
		return FAILED;
	status = overlay_request_init(&q);
	if (status == DONE)
		status = handle_arguments(&q, argc, argv);
	overlay_request_free(&q);
	return status;
}
