#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fusefs/options_impl.h"

/*
 * Keywords of ssh_config(5), also old ones that ssh only warns of.  Those are
 * missing that would break the SFTP session, or that the mount sets: what runs
 * on the server, forwardings, terminals.
 */
static const char *const ssh_keywords[] = {
	"AddKeysToAgent",
	"AddressFamily",
	"BatchMode",
	"BindAddress",
	"BindInterface",
	"CanonicalDomains",
	"CanonicalizeFallbackLocal",
	"CanonicalizeHostname",
	"CanonicalizeMaxDots",
	"CanonicalizePermittedCNAMEs",
	"CASignatureAlgorithms",
	"CertificateFile",
	"ChallengeResponseAuthentication",
	"ChannelTimeout",
	"CheckHostIP",
	"Cipher",
	"Ciphers",
	"Compression",
	"CompressionLevel",
	"ConnectionAttempts",
	"ConnectTimeout",
	"ControlMaster",
	"ControlPath",
	"ControlPersist",
	"EnableSSHKeysign",
	"FingerprintHash",
	"GlobalKnownHostsFile",
	"GSSAPIAuthentication",
	"GSSAPIDelegateCredentials",
	"HashKnownHosts",
	"HostbasedAcceptedAlgorithms",
	"HostbasedAuthentication",
	"HostbasedKeyTypes",
	"HostKeyAlgorithms",
	"HostKeyAlias",
	"HostName",
	"IdentitiesOnly",
	"IdentityAgent",
	"IdentityFile",
	"IgnoreUnknown",
	"IPQoS",
	"KbdInteractiveAuthentication",
	"KbdInteractiveDevices",
	"KexAlgorithms",
	"KnownHostsCommand",
	"LocalCommand",
	"LogLevel",
	"LogVerbose",
	"MACs",
	"NoHostAuthenticationForLocalhost",
	"NumberOfPasswordPrompts",
	"ObscureKeystrokeTiming",
	"PasswordAuthentication",
	"PermitLocalCommand",
	"PKCS11Provider",
	"Port",
	"PreferredAuthentications",
	"ProxyCommand",
	"ProxyJump",
	"ProxyUseFdpass",
	"PubkeyAcceptedAlgorithms",
	"PubkeyAcceptedKeyTypes",
	"PubkeyAuthentication",
	"RekeyLimit",
	"RequiredRSASize",
	"RevokedHostKeys",
	"RhostsRSAAuthentication",
	"RSAAuthentication",
	"SecurityKeyProvider",
	"SendEnv",
	"ServerAliveCountMax",
	"ServerAliveInterval",
	"SetEnv",
	"SmartcardDevice",
	"StrictHostKeyChecking",
	"SyslogFacility",
	"Tag",
	"TCPKeepAlive",
	"UpdateHostKeys",
	"UsePrivilegedPort",
	"User",
	"UserKnownHostsFile",
	"VerifyHostKeyDNS",
	"VisualHostKey",
};

bool options_ssh(struct options *options, const char *option, size_t len,
		 char *why)
{
	size_t size = strlen(option) + sizeof("-o");
	char *text;
	bool ok;

	for (size_t i = 0; i < ARRAY_LEN(ssh_keywords); i++) {
		if (strlen(ssh_keywords[i]) != len ||
		    strncasecmp(ssh_keywords[i], option, len))
			continue;
		if (option[len] != '=' || !option[len + 1])
			return explain(why, "%s: a value is wanted", option);
		text = malloc(size);
		if (!text)
			return explain(why, "out of memory");
		(void)snprintf(text, size, "-o%s", option);
		ok = add_string(&options->ssh_options, text, why);
		free(text);
		return ok;
	}
	return explain(why, "unknown option: -o %s", option);
}
