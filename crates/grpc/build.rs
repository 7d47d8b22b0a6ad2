//! Generates the API's code and its descriptor set from `proto/`, without a system `protoc`.

use std::path::PathBuf;

use prost_types::FileDescriptorSet;
use prost_types::field_descriptor_proto::Type;

/// Answers whose rows are packed one by one from what the database sends or memory holds, and their field of
/// them: a message in between, made of texts of its own, would cost as much as all the rest of a page.
const PACKED: [(&str, &str); 4] = [
    ("ListMappedEventsResponse", "events"),
    ("ListEventsResponse", "events"),
    ("ResolveIdentitiesResponse", "identities"),
    ("ListIdentityConflictsResponse", "identities"),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    println!("cargo::rerun-if-changed={}", root.display());

    let mut files: Vec<PathBuf> = std::fs::read_dir(root.join("ordinary/posthog/v1"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.sort();

    let mut compiler = protox::Compiler::new([&root])?;
    // Comments travel in the descriptor set, so that reflection's readers see them too.
    compiler.include_source_info(true).include_imports(true);
    compiler.open_files(&files)?;

    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(
        out.join("descriptors.bin"),
        compiler.encode_file_descriptor_set(),
    )?;
    let mut builder = tonic_prost_build::configure();
    for (message, field) in PACKED {
        builder = builder.bytes(format!(".ordinary.posthog.v1.{message}.{field}"));
    }
    builder.compile_fds(pack(compiler.file_descriptor_set()))?;
    Ok(())
}

/// The same API with the rows of [`PACKED`] as bytes, which are the same on the wire.
fn pack(mut files: FileDescriptorSet) -> FileDescriptorSet {
    let messages = files
        .file
        .iter_mut()
        .flat_map(|file| &mut file.message_type);
    for message in messages {
        let packed = PACKED.iter().find(|(name, _)| *name == message.name());
        let fields = message.field.iter_mut();
        for field in fields.filter(|field| packed.is_some_and(|(_, of)| *of == field.name())) {
            field.set_type(Type::Bytes);
            field.type_name = None;
        }
    }
    files
}
