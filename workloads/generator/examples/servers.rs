use rdkafka::admin::*;
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use std::io::{Read, Write};
fn main() {
    let b = noida::kafka::spawn("127.0.0.1:19092").unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let a: AdminClient<DefaultClientContext> = ClientConfig::new()
            .set("bootstrap.servers", b.to_string())
            .create()
            .unwrap();
        let t = NewTopic::new("s", 4, TopicReplication::Fixed(1))
            .set("retention.bytes", "20000000")
            .set("segment.bytes", "5000000");
        println!("{:?}", a.create_topics(&[t], &AdminOptions::new()).await);
    });
    let data = std::fs::read(std::env::args().nth(1).unwrap()).unwrap();
    let l = std::net::TcpListener::bind("127.0.0.1:19000").unwrap();
    println!("ready {b}");
    for c in l.incoming() {
        let mut c = c.unwrap();
        let mut r = vec![];
        while !r.ends_with(b"\r\n\r\n") {
            let mut x = [0];
            if c.read(&mut x).unwrap() == 0 {
                break;
            }
            r.push(x[0]);
        }
        write!(
            c,
            "HTTP/1.1 200 OK\r\netag: \"1\"\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            data.len()
        )
        .unwrap();
        let _ = c.write_all(&data);
    }
}
