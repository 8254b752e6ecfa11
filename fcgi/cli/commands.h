/* commands.h - the subcommands of `cbu` besides `serve`. Each reads the settings it needs, prints
 * to standard output, complains on standard error and returns the exit status (sysexits.h).
 * `argv[0]` is the subcommand's name; main() has dealt with --help. */
#ifndef FCGI_CLI_COMMANDS_H
#define FCGI_CLI_COMMANDS_H

int command_status(int argc, char **argv);      /* [--json] */
int command_healthcheck(int argc, char **argv); /* 0 when the master is alive, else 1 */
int command_migrate(int argc, char **argv);
int command_import(int argc, char **argv);  /* FILE|- ; EX_DATAERR when some lines were refused */
int command_openapi(int argc, char **argv); /* prints the API document */
int command_config(int argc, char **argv);  /* [--check | --json | --markdown] */

#endif
