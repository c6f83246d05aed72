/** Inputs of docker.Container, as the state keeps them. Those that are missing here are not compared. */
export interface ContainerInputs {
  readonly __defaults?: unknown;
  readonly name: string;
  readonly image: string;
  readonly envs?: readonly string[];
  readonly labels?: readonly { readonly label: string; readonly value: string }[];
  readonly command?: readonly string[];
  readonly entrypoints?: readonly string[];
  readonly workingDir?: string;
  readonly user?: string;
  readonly hostname?: string;
  readonly domainname?: string;
  readonly stopSignal?: string;
  readonly stopTimeout?: number;
  readonly tty?: boolean;
  readonly stdinOpen?: boolean;
  readonly healthcheck?: {
    readonly tests: readonly string[];
    readonly interval?: string;
    readonly timeout?: string;
    readonly startPeriod?: string;
    readonly retries?: number;
  };
  readonly ports?: readonly {
    readonly internal: number;
    readonly external?: number;
    readonly ip?: string;
    readonly protocol?: string;
  }[];
  readonly publishAllPorts?: boolean;
  readonly mounts?: readonly {
    readonly type: string;
    readonly source?: string;
    readonly target: string;
    readonly readOnly?: boolean;
  }[];
  readonly volumes?: readonly {
    readonly volumeName?: string;
    readonly hostPath?: string;
    readonly containerPath?: string;
    readonly readOnly?: boolean;
  }[];
  readonly tmpfs?: Readonly<Record<string, string>>;
  readonly readOnly?: boolean;
  readonly privileged?: boolean;
  readonly capabilities?: { readonly adds?: readonly string[]; readonly drops?: readonly string[] };
  readonly securityOpts?: readonly string[];
  /** MiB, as the other two. */
  readonly memory?: number;
  readonly memorySwap?: number;
  readonly memoryReservation?: number;
  readonly cpus?: string;
  readonly cpuPeriod?: number;
  readonly cpuQuota?: number;
  readonly cpuShares?: number;
  readonly cpuSet?: string;
  readonly restart?: string;
  readonly maxRetryCount?: number;
  readonly logDriver?: string;
  readonly logOpts?: Readonly<Record<string, string>>;
  readonly networkMode?: string;
  readonly networksAdvanced?: readonly {
    readonly name: string;
    readonly aliases?: readonly string[];
    readonly ipv4Address?: string;
  }[];
  readonly hosts?: readonly { readonly host: string; readonly ip: string }[];
  readonly dns?: readonly string[];
  readonly dnsOpts?: readonly string[];
  readonly dnsSearches?: readonly string[];
  readonly pidMode?: string;
  readonly ipcMode?: string;
  readonly usernsMode?: string;
  readonly cgroupParent?: string;
  readonly cgroupnsMode?: string;
  readonly runtime?: string;
  readonly init?: boolean;
  readonly groupAdds?: readonly string[];
  readonly sysctls?: Readonly<Record<string, string>>;
  readonly ulimits?: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  readonly shmSize?: number;
  readonly devices?: readonly {
    readonly hostPath: string;
    readonly containerPath?: string;
    readonly permissions?: string;
  }[];
  readonly deviceCgroupRules?: readonly string[];
  readonly deviceRequests?: readonly {
    readonly driver?: string;
    readonly count?: number;
    readonly deviceIds?: readonly string[];
  }[];
  readonly mustRun?: boolean;
  readonly start?: boolean;
  readonly attach?: boolean;
  readonly logs?: boolean;
  readonly rm?: boolean;
  readonly wait?: boolean;
  readonly waitTimeout?: number;
  readonly destroyGraceSeconds?: number;
  readonly removeVolumes?: boolean;
  readonly containerReadRefreshTimeoutMilliseconds?: number;
}

/** What an image brings along, and a container has: Docker's names. */
export interface ImageConfig {
  readonly Env?: readonly string[] | null;
  readonly Labels?: Readonly<Record<string, string>> | null;
  readonly Cmd?: readonly string[] | null;
  readonly Entrypoint?: readonly string[] | null;
  readonly WorkingDir?: string;
  readonly User?: string;
  readonly StopSignal?: string;
  readonly Volumes?: Readonly<Record<string, unknown>> | null;
  readonly Healthcheck?: {
    readonly Test?: readonly string[] | undefined;
    readonly Interval?: number | undefined;
    readonly Timeout?: number | undefined;
    readonly StartPeriod?: number | undefined;
    readonly Retries?: number | undefined;
  } | null;
}

/** `docker container inspect`, as far as it is compared. */
export interface Inspected {
  readonly Id: string;
  readonly Name: string;
  readonly Image: string;
  readonly State: { readonly Status: string };
  readonly Config: ImageConfig & {
    readonly User: string;
    readonly Hostname: string;
    readonly Domainname: string;
    readonly Tty: boolean;
    readonly OpenStdin: boolean;
    readonly StopTimeout?: number | null;
  };
  readonly HostConfig: {
    readonly PortBindings: Readonly<
      Record<string, readonly { readonly HostIp: string; readonly HostPort: string }[] | null>
    > | null;
    readonly PublishAllPorts: boolean;
    readonly Tmpfs?: Readonly<Record<string, string>> | null;
    readonly ReadonlyRootfs: boolean;
    readonly Privileged: boolean;
    readonly CapAdd: readonly string[] | null;
    readonly CapDrop: readonly string[] | null;
    readonly SecurityOpt: readonly string[] | null;
    readonly Memory: number;
    readonly MemorySwap: number;
    readonly MemoryReservation: number;
    readonly NanoCpus: number;
    readonly CpuPeriod: number;
    readonly CpuQuota: number;
    readonly CpuShares: number;
    readonly CpusetCpus: string;
    readonly BlkioWeight: number;
    readonly OomKillDisable: boolean | null;
    readonly OomScoreAdj: number;
    readonly PidsLimit: number | null;
    readonly RestartPolicy: { readonly Name: string; readonly MaximumRetryCount: number };
    readonly LogConfig: { readonly Type: string; readonly Config: Readonly<Record<string, string>> | null };
    readonly NetworkMode: string;
    readonly ExtraHosts: readonly string[] | null;
    readonly Dns: readonly string[] | null;
    readonly DnsOptions: readonly string[] | null;
    readonly DnsSearch: readonly string[] | null;
    readonly PidMode: string;
    readonly IpcMode: string;
    readonly UsernsMode: string;
    readonly CgroupParent: string;
    readonly Runtime: string;
    readonly Init?: boolean | null;
    readonly GroupAdd: readonly string[] | null;
    readonly Sysctls?: Readonly<Record<string, string>> | null;
    readonly Ulimits:
      readonly { readonly Name: string; readonly Soft: number; readonly Hard: number }[] | null;
    readonly ShmSize: number;
    readonly Devices:
      | readonly {
          readonly PathOnHost: string;
          readonly PathInContainer: string;
          readonly CgroupPermissions: string;
        }[]
      | null;
    readonly DeviceCgroupRules: readonly string[] | null;
    readonly DeviceRequests:
      | readonly {
          readonly Driver: string;
          readonly Count: number;
          readonly DeviceIDs: readonly string[] | null;
        }[]
      | null;
  };
  readonly Mounts: readonly {
    readonly Type: string;
    readonly Name?: string;
    readonly Source: string;
    readonly Destination: string;
    readonly RW: boolean;
  }[];
  readonly NetworkSettings: {
    readonly Networks: Readonly<
      Record<
        string,
        {
          readonly NetworkID: string;
          readonly Aliases: readonly string[] | null;
          readonly IPAMConfig?: { readonly IPv4Address?: string } | null;
        }
      >
    >;
  };
}
