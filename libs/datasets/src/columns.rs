//! The columns of KDD Cup 99 connection records, with the original names in the original order.
//! The simulator writes them, and a data set without a header line is read with them.

macro_rules! columns {
    ($($variant:ident => $name:literal),* $(,)?) => {
        /// One of the 41 columns; its discriminant is its position.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Column {
            $(#[doc = concat!("`", $name, "`")] $variant),*
        }

        impl Column {
            /// All columns in the original order.
            pub const ALL: [Column; 41] = [$(Column::$variant),*];

            /// The original name.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Column::$variant => $name),*
                }
            }
        }
    };
}

columns! {
    Duration => "duration",
    ProtocolType => "protocol_type",
    Service => "service",
    Flag => "flag",
    SrcBytes => "src_bytes",
    DstBytes => "dst_bytes",
    Land => "land",
    WrongFragment => "wrong_fragment",
    Urgent => "urgent",
    Hot => "hot",
    NumFailedLogins => "num_failed_logins",
    LoggedIn => "logged_in",
    NumCompromised => "num_compromised",
    RootShell => "root_shell",
    SuAttempted => "su_attempted",
    NumRoot => "num_root",
    NumFileCreations => "num_file_creations",
    NumShells => "num_shells",
    NumAccessFiles => "num_access_files",
    NumOutboundCmds => "num_outbound_cmds",
    IsHostLogin => "is_host_login",
    IsGuestLogin => "is_guest_login",
    Count => "count",
    SrvCount => "srv_count",
    SerrorRate => "serror_rate",
    SrvSerrorRate => "srv_serror_rate",
    RerrorRate => "rerror_rate",
    SrvRerrorRate => "srv_rerror_rate",
    SameSrvRate => "same_srv_rate",
    DiffSrvRate => "diff_srv_rate",
    SrvDiffHostRate => "srv_diff_host_rate",
    DstHostCount => "dst_host_count",
    DstHostSrvCount => "dst_host_srv_count",
    DstHostSameSrvRate => "dst_host_same_srv_rate",
    DstHostDiffSrvRate => "dst_host_diff_srv_rate",
    DstHostSameSrcPortRate => "dst_host_same_src_port_rate",
    DstHostSrvDiffHostRate => "dst_host_srv_diff_host_rate",
    DstHostSerrorRate => "dst_host_serror_rate",
    DstHostSrvSerrorRate => "dst_host_srv_serror_rate",
    DstHostRerrorRate => "dst_host_rerror_rate",
    DstHostSrvRerrorRate => "dst_host_srv_rerror_rate",
}

/// Name of the column after the 41.
pub const LABEL: &str = "label";
/// The label of a record that is not an attack, in the data set's own spelling.
pub const NORMAL: &str = "normal.";
/// The same in all spellings: NSL-KDD has no point.
pub const NORMALS: [&str; 2] = [NORMAL, "normal"];

impl Column {
    /// Smallest and largest value of a numeric column: the windows of the original count at most 511 connections of
    /// the last two seconds and the last 255 to a host, and always the connection itself.
    pub const fn range(self) -> (f64, f64) {
        match self {
            Self::Count | Self::SrvCount => (1.0, 511.0),
            Self::DstHostCount | Self::DstHostSrvCount => (1.0, 255.0),
            Self::Land | Self::LoggedIn | Self::RootShell | Self::IsHostLogin | Self::IsGuestLogin => (0.0, 1.0),
            Self::Duration => (0.0, 60_000.0),
            _ if self.is_rate() => (0.0, 1.0),
            _ => (0.0, 2_000_000_000.0),
        }
    }

    /// Whether the column is a share from 0 to 1, written with two decimals.
    pub const fn is_rate(self) -> bool {
        matches!(
            self,
            Self::SerrorRate
                | Self::SrvSerrorRate
                | Self::RerrorRate
                | Self::SrvRerrorRate
                | Self::SameSrvRate
                | Self::DiffSrvRate
                | Self::SrvDiffHostRate
                | Self::DstHostSameSrvRate
                | Self::DstHostDiffSrvRate
                | Self::DstHostSameSrcPortRate
                | Self::DstHostSrvDiffHostRate
                | Self::DstHostSerrorRate
                | Self::DstHostSrvSerrorRate
                | Self::DstHostRerrorRate
                | Self::DstHostSrvRerrorRate
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_stands_at_its_discriminant_and_rates_are_those_named_so() {
        for (position, column) in Column::ALL.into_iter().enumerate() {
            assert_eq!(column as usize, position);
            assert_eq!(column.is_rate(), column.name().ends_with("_rate"), "{}", column.name());
        }
        assert_eq!(Column::DstHostSrvRerrorRate as usize, 40);
    }
}
